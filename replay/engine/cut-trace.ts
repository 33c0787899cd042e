import { MemoryTrace } from '../../traces/memory-trace.ts';
import { STREAMS, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { BytesColumn } from '../../traces/schema.ts';
import { columnProperties } from '../../traces/segment.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';

type AnyColumns = Record<string, Int32Array | BytesColumn | undefined>;

/** A copy of the events that `keep` takes, given by their index; where some are left out and `told`, a lost event says how many. */
export function cutTrace(trace: Trace, keep: (event: number) => boolean, told: boolean): MemoryTrace {
  const cut = new MemoryTrace(trace.header);
  let missing = 0;
  for (const segment of trace.segments()) {
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const stream = segment.stream[i] ?? 0;
      const row = rows[stream] ?? 0;
      rows[stream] = row + 1;
      if (!keep(segment.firstEvent + i)) {
        missing++;
        continue;
      }
      const time = segment.time[i] ?? 0;
      if (missing > 0 && told) {
        const lost = cut.begin(STREAM_ID.lost, time, -1, -1);
        cut.rows.lost.columns.countLo[lost] = missing;
      }
      missing = 0;
      const to = cut.begin(stream, time, segment.cpu[i] ?? -1, segment.task[i] ?? -1);
      copyRow(trace, cut, segment, stream, row, to);
    }
  }
  return cut;
}

function copyRow(trace: Trace, cut: MemoryTrace, segment: Segment, stream: number, from: number, to: number): void {
  const name = STREAM_NAMES[stream] ?? 'mark';
  const source = segment.rows[name].columns as unknown as AnyColumns;
  const target = cut.rows[name].columns as unknown as AnyColumns;
  for (const [column, kind] of Object.entries(STREAMS[name])) {
    for (const property of columnProperties(column, kind)) {
      const values = source[property];
      const into = target[property];
      if (values === undefined || into === undefined) continue;
      if (into instanceof Int32Array) {
        const value = (values as Int32Array)[from] ?? -1;
        into[to] = kind === 'ref' && value >= 0 ? cut.intern(trace.strings[value] ?? '') : value;
      } else {
        const { offsets, data } = values as BytesColumn;
        cut.setBytes(into, to, data.subarray(offsets[from] ?? 0, offsets[from + 1] ?? 0));
      }
    }
  }
}
