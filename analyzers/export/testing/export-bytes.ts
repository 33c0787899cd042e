import { plainEvents } from '../../../traces/event.ts';
import { STREAM_NAMES } from '../../../traces/schema.ts';
import type { StreamName } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import type { Exporter } from '../exporter.ts';

/** What an exporter makes of a trace, or of one stream of it. */
export async function exportBytes(
  exporter: Exporter,
  trace: Trace,
  streams: readonly StreamName[] = STREAM_NAMES.filter((name) => trace.streamCounts[name] > 0),
): Promise<{ readonly bytes: Buffer; readonly notes: readonly string[] }> {
  const chunks: Buffer[] = [];
  const times = [...trace.segments()].flatMap(({ time, count }) => [time[0] ?? 0, time[count - 1] ?? 0]);
  const source = { header: trace.header, streams, start: Math.min(...times, 0), end: Math.max(...times, 0) };
  const writer = await exporter.open(source, {
    write: (bytes) => void chunks.push(Buffer.from(typeof bytes === 'string' ? bytes : bytes.slice())),
  });
  for (const segment of trace.segments()) {
    for (const event of plainEvents(segment, trace.strings)) if (streams.includes(event.stream)) writer.event(event);
  }
  writer.finish();
  return { bytes: Buffer.concat(chunks), notes: writer.notes };
}
