import { STREAMS, STREAM_NAMES } from '../../traces/schema.ts';
import type { BytesColumn, ColumnKind } from '../../traces/schema.ts';
import { columnProperties } from '../../traces/segment.ts';
import type { Segment } from '../../traces/segment.ts';
import type { ReadPlan, Trace } from '../../traces/trace.ts';

/**
 * Reads all of a trace and checks what its consumers index without looking: stream numbers, rows that add up, columns of full
 * length, byte strings inside their data. Throws `Error` where a promise of the reader is broken. Returns the events.
 */
export function readEverything(trace: Trace, plan: ReadPlan): number {
  let events = 0;
  for (const segment of trace.segments(plan)) {
    checkSegment(segment, plan);
    events += segment.count;
  }
  if (!Number.isSafeInteger(trace.eventCount) || trace.eventCount < 0)
    throw new Error(`event count ${trace.eventCount}`);
  const counts = trace.streamCounts;
  for (const name of STREAM_NAMES) {
    const count = counts[name];
    if (!Number.isSafeInteger(count) || count < 0) throw new Error(`${count} events of ${name}`);
  }
  for (const text of trace.strings) if (typeof text !== 'string') throw new Error('a string that is none');
  if (!/^-?\d+$/.test(trace.header.clock.epochNs)) throw new Error('epoch');
  return events;
}

function checkSegment(segment: Segment, plan: ReadPlan): void {
  const n = segment.count;
  for (const name of ['stream', 'time', 'cpu', 'task', 'source'] as const) {
    if (segment[name].length < n) throw new Error(`${name} is shorter than its segment`);
  }
  const seen = new Map<number, number>();
  for (let i = 0; i < n; i++) {
    const id = segment.stream[i] ?? -1;
    seen.set(id, (seen.get(id) ?? 0) + 1);
    if (!Number.isSafeInteger(segment.time[i])) throw new Error(`time ${segment.time[i]}`);
  }
  STREAM_NAMES.forEach((name, id) => {
    const rows = segment.rows[name];
    if (rows.count !== (seen.get(id) ?? 0)) throw new Error(`${rows.count} rows of ${name}, ${seen.get(id)} events`);
    seen.delete(id);
    const columns = rows.columns as unknown as Record<string, Int32Array | BytesColumn | undefined>;
    for (const [column, kind] of Object.entries(STREAMS[name] as Record<string, ColumnKind>)) {
      for (const property of columnProperties(column, kind)) {
        const array = columns[property];
        if (array === undefined) {
          const wanted = plan.columns === undefined ? 'all' : (plan.columns[name] ?? []);
          if (wanted === 'all' || wanted.includes(column)) throw new Error(`${name}.${property} is missing`);
        } else if (array instanceof Int32Array) {
          if (array.length < rows.count) throw new Error(`${name}.${property} is too short`);
        } else checkBytes(array, rows.count, `${name}.${property}`);
      }
    }
  });
  if (seen.size > 0) throw new Error(`streams ${[...seen.keys()].join(', ')} are none`);
}

function checkBytes(column: BytesColumn, rows: number, what: string): void {
  if (rows > 0 && column.offsets.length < rows + 1) throw new Error(`${what} has too few offsets`);
  let before = 0;
  for (let i = 0; i <= rows && i < column.offsets.length; i++) {
    const offset = column.offsets[i] ?? -1;
    if (offset < before || offset > column.data.length) throw new Error(`${what}: offset ${offset} of row ${i}`);
    before = offset;
  }
}
