export { HEAD_BYTES } from './import/importer.ts';
export type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './import/importer.ts';
export { IMPORTERS, SURE_ENOUGH, detectImporter, findImporter } from './import/importers.ts';
export { decompress, sniffCompression } from './import/decompress.ts';
export { LineSplitter, MAX_LINE_BYTES } from './import/lines.ts';
export type { LineReader } from './import/lines.ts';
export { openInput } from './import/open-input.ts';
export type { InputFile } from './import/open-input.ts';
export { openSource } from './import/import-source.ts';
export type { ImportSource } from './import/import-source.ts';
export { importSources } from './import/import-run.ts';
export type { ImportOutcome } from './import/import-run.ts';
export type { ImportResult } from './import/import-result.ts';
export { importCommand } from './import/import-command.ts';
export type { Workload } from './simulate/workload.ts';
export { WORKLOADS, findWorkload } from './simulate/workloads.ts';
export { simulateCommand } from './simulate/simulate-command.ts';
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
export { recordCommand } from './live/record-command.ts';
export { doctorCommand } from './live/doctor-command.ts';
export { mergeCommand } from './merge/merge-command.ts';
