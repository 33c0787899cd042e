import { ORIGIN, STREAM_ID } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { joinWords } from '../../../traces/units.ts';

/** Maps or unmaps in order, for comparing two sources of the same changes. */
export interface RangeList {
  /** Events, however the ranges were cut. */
  readonly events: number;
  /** `start+size` in hex. Neighbours that follow each other in addresses are one: where they are cut is up to physical memory. */
  readonly ranges: readonly string[];
  readonly bytes: bigint;
}

/** Those of a task, or all. */
export function rangeList(trace: Trace, stream: 'map' | 'unmap', task?: number): RangeList {
  const found: { readonly start: bigint; end: bigint }[] = [];
  let events = 0;
  let bytes = 0n;
  for (const segment of trace.segments()) {
    const { columns } = segment.rows[stream];
    let row = -1;
    for (let i = 0; i < segment.count; i++) {
      if (segment.stream[i] !== STREAM_ID[stream]) continue;
      row++;
      if (task !== undefined && segment.task[i] !== task) continue;
      const start = joinWords(columns.iovaLo[row] ?? 0, columns.iovaHi[row] ?? 0);
      const end = start + joinWords(columns.sizeLo[row] ?? 0, columns.sizeHi[row] ?? 0);
      // the DMA API's own events tell of the same changes
      if (columns.origin[row] === ORIGIN.dmaApi) continue;
      events++;
      bytes += end - start;
      const last = found.at(-1);
      if (last?.end === start) last.end = end;
      else found.push({ start, end });
    }
  }
  return {
    events,
    bytes,
    ranges: found.map(({ start, end }) => `${start.toString(16)}+${(end - start).toString(16)}`),
  };
}
