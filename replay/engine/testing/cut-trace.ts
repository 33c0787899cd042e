import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import { STREAM_ID, STREAM_NAMES } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';

/** A copy of the events that `keep` takes, given by their index; where some are left out and `told`, a lost event says how many. */
export function cutTrace(trace: Trace, keep: (event: number) => boolean, told: boolean): MemoryTrace {
  const cut = new MemoryTrace(trace.header);
  const copyRow = createRowCopier(trace, cut);
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
      copyRow(segment, stream, row, to);
    }
  }
  return cut;
}
