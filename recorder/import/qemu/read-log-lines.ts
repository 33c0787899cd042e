import { plainEvents } from '../../../traces/event.ts';
import type { PlainEvent } from '../../../traces/event.ts';
import { Health } from '../../../traces/health.ts';
import type { HealthReport } from '../../../traces/health.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import type { StreamName } from '../../../traces/schema.ts';
import type { ImportFacts, ImportHeader } from '../importer.ts';
import { qemuLog } from '../qemu-log.ts';

/** What lines of a log become, for tests. */
export interface ReadLog {
  readonly header: ImportHeader;
  readonly events: readonly PlainEvent[];
  readonly facts: ImportFacts;
  readonly health: HealthReport;
  /** The fields of the events of one stream. */
  readonly of: (stream: StreamName) => readonly PlainEvent['fields'][];
}

export function readLog(lines: readonly string[]): ReadLog {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const header = qemuLog.describe(bytes);
  const { source, ...rest } = header;
  const sink = new MemoryTrace({ formatVersion: 1, tool: 'iorr', toolVersion: 'test', sources: [source], ...rest });
  const health = new Health();
  const run = qemuLog.create({ sink, health, file: 'q', header });
  run.push(bytes);
  const facts = run.end();
  const events = [...sink.segments()].flatMap((segment) => [...plainEvents(segment, sink.strings)]);
  const of = (stream: StreamName) => events.filter((event) => event.stream === stream).map(({ fields }) => fields);
  return { header, events, facts, health: health.report(), of };
}
