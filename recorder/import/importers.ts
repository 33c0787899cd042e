import { bpftrace } from './bpftrace.ts';
import { ftraceText } from './ftrace-text.ts';
import type { Importer } from './importer.ts';
import { ioctlHex } from './ioctl-hex.ts';
import { ioctlNdjson } from './ioctl-ndjson.ts';
import { perfData } from './perf-data.ts';
import { qemuLog } from './qemu-log.ts';
import { qmpLog } from './qmp-log.ts';
import { recordedTrace } from './recorded-trace.ts';
import { strace } from './strace.ts';
import { traceDat } from './trace-dat.ts';

/** Every importer, in the order that help lists them. To add one: a file, a fixture in `fixtures/`, a line here. */
export const IMPORTERS: readonly Importer[] = [
  ftraceText,
  traceDat,
  perfData,
  qemuLog,
  qmpLog,
  ioctlNdjson,
  ioctlHex,
  bpftrace,
  strace,
  recordedTrace,
];

/** Least confidence at which an input counts as recognised. */
export const SURE_ENOUGH = 0.5;

/** The importer that is surest of an input's beginning; undefined if none is sure enough. */
export function detectImporter(head: Uint8Array): Importer | undefined {
  let best: Importer | undefined;
  let confidence = 0;
  for (const importer of IMPORTERS) {
    const sure = importer.detect(head);
    if (sure >= SURE_ENOUGH && sure > confidence) {
      best = importer;
      confidence = sure;
    }
  }
  return best;
}

/** The importer of a name of `--format`; undefined if there is none. */
export function findImporter(name: string): Importer | undefined {
  return IMPORTERS.find((importer) => importer.name === name);
}
