import { plainEvents } from '../../../traces/event.ts';
import type { PlainEvent } from '../../../traces/event.ts';
import { FORMAT_VERSION } from '../../../traces/header.ts';
import { Health } from '../../../traces/health.ts';
import type { HealthReport } from '../../../traces/health.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { memorySource } from '../../../traces/format/bytes-io.ts';
import type { ImportFacts, ImportHeader, Importer } from '../importer.ts';

/** Everything that an import gives. */
export interface ReadImport {
  readonly header: ImportHeader;
  readonly trace: MemoryTrace;
  readonly events: readonly PlainEvent[];
  readonly facts: ImportFacts;
  readonly health: HealthReport;
}

/** Imports bytes, `chunk` of them at a time; lines get their newlines here. */
export function readImport(
  importer: Importer,
  input: Uint8Array | readonly string[],
  { file = 't', chunk = Number.POSITIVE_INFINITY }: { readonly file?: string; readonly chunk?: number } = {},
): ReadImport {
  const bytes = input instanceof Uint8Array ? input : Buffer.from(input.map((line) => `${line}\n`).join(''));
  const header = importer.whole?.describe(memorySource(bytes)) ?? importer.describe(bytes);
  const { source, host, clock, fidelity } = header;
  const trace = new MemoryTrace({
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: 'test',
    sources: [source],
    host,
    clock,
    fidelity,
  });
  const health = new Health();
  const run = importer.create({ sink: trace, health, file, header });
  for (let at = 0; at < bytes.length; at += chunk) run.push(bytes.subarray(at, at + chunk));
  const facts = run.end();
  const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
  return { header, trace, events, facts, health: health.report() };
}
