import type { Trace } from '../../traces/trace.ts';
import { countStacks } from '../distances/counting-stacks.ts';
import { createCountingReplay } from '../engine/counting-replay.ts';
import { countingSteps } from '../engine/counting-steps.ts';
import { deriveIntents } from '../engine/derived-trace.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { PassProgress } from './run-pass.ts';
import type { SweepPass } from './passes.ts';
import type { SweepMetrics, SweepResult } from './sweep-point.ts';

/** Figures of `--counts misses`, of all that a replay tells or of counts alone. */
export function missMetrics(lookups: number | null, misses: number | null): SweepMetrics {
  return { lookups, misses, missRatio: lookups === null || misses === null || lookups === 0 ? null : misses / lookups };
}

/**
 * Counts lookups and misses of a pass's points without anything else, one geometry or many. Undefined where the points or the trace
 * need a replay (`createCountingReplay`, `countStacks`).
 */
export function countPass(
  { kind, points }: SweepPass,
  trace: Trace,
  progress: PassProgress,
): readonly SweepResult[] | undefined {
  const [first] = points;
  const { access, driver } = first?.point.question ?? {};
  if (first === undefined || kind === 'designs' || (access ?? 'recorded') !== 'recorded') return undefined;
  if (trace.streamCounts.dma === 0 || deriveIntents(trace, driver) !== undefined) return undefined;
  const told = (events: number): void => progress(events / Math.max(1, trace.eventCount));
  const result = (i: number, lookups: number, misses: number): SweepResult => {
    const id = points[i]?.point.id ?? '';
    return { id, metrics: lookups > 0 ? missMetrics(lookups, misses) : missMetrics(null, null), caveats: [] };
  };
  if (points.length === 1) {
    const counts = countOne(first.hardware, trace, told);
    return counts && [result(0, counts.lookups, counts.misses)];
  }
  const geometries = points.map(({ hardware }) => ({
    sets: parameterOf(hardware, 'iotlb.sets'),
    ways: parameterOf(hardware, 'iotlb.ways'),
  }));
  const sets = [...new Set(geometries.map((geometry) => geometry.sets))].sort((a, b) => a - b);
  const steps = countStacks(trace, first.hardware, sets, Math.max(...geometries.map(({ ways }) => ways)));
  for (;;) {
    const step = steps.next();
    if (step.done !== true) told(step.value);
    else {
      const { value } = step;
      return value && geometries.map((own, i) => result(i, value.lookups, value.misses(own.sets, own.ways)));
    }
  }
}

function countOne(
  hardware: HardwareProfile,
  trace: Trace,
  told: (events: number) => void,
): { readonly lookups: number; readonly misses: number } | undefined {
  const replay = createCountingReplay(hardware, { unmappedAccess: 'fill' });
  if (replay === undefined) return undefined;
  const steps = countingSteps(trace, replay);
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) told(step.value);
  return step.value ? replay.counts() : undefined;
}
