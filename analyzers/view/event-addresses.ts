import { STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { ReadPlan } from '../../traces/trace.ts';
import { pageNumber } from '../../traces/units.ts';
import type { Nanoseconds, PageNumber } from '../../traces/units.ts';

/** Streams whose events name an IOVA. */
const ADDRESSED = ['map', 'unmap', 'dma', 'fault', 'prq'] as const;

/** What has to be decoded for counts and addresses. */
export const ADDRESS_PLAN: ReadPlan = {
  columns: Object.fromEntries(ADDRESSED.map((name) => [name, ['iova']])),
  reuse: true,
};

/** Calls back with the page of every event that names one, in the order of events. */
export function eachAddress(segment: Segment, call: (page: PageNumber, time: Nanoseconds) => void): void {
  const rows = STREAM_NAMES.map(() => 0);
  const columns = STREAM_NAMES.map((name) => {
    const known = ADDRESSED.find((one) => one === name);
    return known === undefined ? undefined : segment.rows[known].columns;
  });
  if (ADDRESSED.every((name) => segment.rows[name].count === 0)) return;
  for (let i = 0; i < segment.count; i++) {
    const id = segment.stream[i]!;
    const own = columns[id];
    if (own === undefined) continue;
    const row = rows[id]!++;
    call(pageNumber(own.iovaLo[row]!, own.iovaHi[row]!), segment.time[i]!);
  }
}

/** Streams with addresses that a trace has. */
export function hasAddresses(counts: { readonly [stream: string]: number }): boolean {
  return ADDRESSED.some((name) => STREAM_ID[name] !== undefined && (counts[name] ?? 0) > 0);
}
