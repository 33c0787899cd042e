import { plainEvents } from '../../../traces/event.ts';
import type { PlainEvent } from '../../../traces/event.ts';
import { Health } from '../../../traces/health.ts';
import type { HealthReport } from '../../../traces/health.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { memorySource } from '../../../traces/format/bytes-io.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import type { ImportFacts, ImportHeader, Importer } from '../importer.ts';

/** What an import gives. */
export interface ImportedTrace {
  readonly header: ImportHeader;
  readonly trace: MemoryTrace;
  readonly facts: ImportFacts;
  readonly health: HealthReport;
}

/** The same, with all events as objects. */
export interface ReadImport extends ImportedTrace {
  readonly events: readonly PlainEvent[];
}

interface ReadOptions {
  readonly file?: string;
  /** So many bytes at a time; default: all at once, by the importer's way for whole files where it has one. */
  readonly chunk?: number;
}

/** A trace in memory with the header of an import. */
export function importSink({ source, host, clock, fidelity }: ImportHeader): MemoryTrace {
  return new MemoryTrace(testHeader({ sources: [source], host, clock, fidelity }));
}

export function importBytes(
  importer: Importer,
  bytes: Uint8Array,
  { file = 't', chunk }: ReadOptions = {},
): ImportedTrace {
  const source = memorySource(bytes);
  const header = importer.whole?.describe(source) ?? importer.describe(bytes);
  const trace = importSink(header);
  const health = new Health();
  const target = { sink: trace, health, file, header };
  const done = (facts: ImportFacts): ImportedTrace => ({ header, trace, facts, health: health.report() });
  if (importer.whole !== undefined && chunk === undefined) {
    const run = importer.whole.create(target, source);
    while (run.step());
    return done(run.end());
  }
  const run = importer.create(target);
  const length = chunk ?? Math.max(1, bytes.length);
  for (let at = 0; at < bytes.length; at += length) run.push(bytes.subarray(at, at + length));
  return done(run.end());
}

/** Imports bytes, or lines, which get their newlines here. */
export function readImport(
  importer: Importer,
  input: Uint8Array | readonly string[],
  options: ReadOptions = {},
): ReadImport {
  const bytes = input instanceof Uint8Array ? input : Buffer.from(input.map((line) => `${line}\n`).join(''));
  const imported = importBytes(importer, bytes, options);
  const { trace } = imported;
  const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
  return { ...imported, events };
}
