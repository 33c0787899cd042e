/** How events come in: captures of all formats, seeded workloads, live sources. */
export { importFiles } from './import/import-files.ts';
export type { ImportFilesOptions } from './import/import-files.ts';
export type { ImportOutcome } from './import/import-run.ts';
export type { ImportResult } from './import/import-result.ts';
export { HEAD_BYTES } from './import/importer.ts';
export type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './import/importer.ts';
export { IMPORTERS, detectImporter, findImporter } from './import/importers.ts';
export { simulateTrace } from './simulate/simulate-trace.ts';
export type { SimulateOptions } from './simulate/simulate-trace.ts';
export type { Workload } from './simulate/workload.ts';
export { WORKLOADS, findWorkload } from './simulate/workloads.ts';
export type {
  LiveFacts,
  LiveHeader,
  LiveOptions,
  LiveRun,
  LiveSink,
  LiveSource,
  LiveTarget,
} from './live/live-source.ts';
export { LIVE_SOURCES, findLiveSource } from './live/live-sources.ts';
