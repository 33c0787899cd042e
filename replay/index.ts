/** What an IOMMU would do: replays, verification, comparison of designs, points of sweeps, hardware and cost profiles. */
export * from './results.ts';
export { replaySteps, replayTrace } from './engine/replay.ts';
export type { ModelledAccesses, ReplayOptions } from './engine/replay.ts';
export { verifyKinds, verifySteps, verifyTrace } from './engine/verify.ts';
export type { VerifyOptions } from './engine/verify.ts';
export { compareTrace } from './engine/compare.ts';
export type { CompareOptions } from './engine/compare.ts';
export { createMachine } from './model/create-machine.ts';
export { ACCESS_RESULT, MAP_RESULT, UNMAP_RESULT } from './model/machine.ts';
export type { Machine, MachineCounts, MachineOptions, StaleFinding } from './model/machine.ts';
export { HARDWARE, hardwareProfile, withSettings } from './hardware/profiles.ts';
export type { HardwareProfile } from './hardware/profile.ts';
export { ACCESS_MODELS, accessModel } from './access/access-models.ts';
export { DESIGNS, findDesign } from './designs/designs.ts';
export type {
  CacheTag,
  CommandEmitter,
  Design,
  DesignContext,
  DesignFactory,
  DesignParameter,
  DesignPromise,
  MapIntent,
  Placement,
  TableWriter,
  UnmapIntent,
} from './designs/design.ts';
export type { DomainFlush, FlushRange } from './designs/domain-flush.ts';
export type { DesignBlocks, UserDesign } from './engine/design-blocks.ts';
export type { DesignModule } from './engine/design-modules.ts';
export { COST_PROFILES, costProfile } from './costs/cost-profiles.ts';
export { crossProduct, sweepPoint } from './sweep/sweep-point.ts';
export type { SweepMetrics, SweepParameter, SweepPoint, SweepQuestion, SweepResult } from './sweep/sweep-point.ts';
export { runPoint } from './sweep/run-pass.ts';
export { mergeResults } from './sweep/merge-results.ts';
