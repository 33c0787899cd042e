import type { RequestGroup } from '../../replay/faults/spans/page-request.ts';
import { closedAt } from '../../replay/faults/spans/page-request.ts';
import { RESPONSE } from '../../replay/faults/page-response.ts';
import type { Nanoseconds, PageNumber } from '../../traces/units.ts';

/** Pages that were asked for more than once, by what became of the time before. */
export interface Repeats {
  /** Different pages asked for, and those asked for again. */
  readonly pages: number;
  readonly pagesAgain: number;
  /** Requests for a page that was asked for before: all, and by the answer that the newest one before had got by then. */
  readonly requests: number;
  readonly afterSuccess: number;
  readonly afterInvalid: number;
  readonly afterFailure: number;
  /** No answer yet: the same page twice on its way. */
  readonly whileOutstanding: number;
  /** Of those after SUCCESS: a device-TLB invalidation for the requester lay between. */
  readonly flushedBetween: number;
  readonly mostOfOnePage: number;
}

/** Groups that would not have been, had each answer brought in the whole aligned block around its pages. */
export interface PrefetchRow {
  readonly blockPages: number;
  readonly blocks: number;
  readonly avoided: number;
  readonly share: number;
}

interface AskedPage {
  readonly page: PageNumber;
  readonly time: Nanoseconds;
}

/** Pages of a group, as the hardware asked for them or else as user space read them. */
export function pagesOf({ requests, delivery }: RequestGroup): readonly AskedPage[] {
  if (requests.length > 0) return requests;
  const time = delivery?.at.from ?? 0;
  return (delivery?.records ?? []).map(({ page }) => ({ page, time }));
}

function spaceOf({ rid, pasid, delivery }: RequestGroup): string {
  return rid >= 0 ? `${rid} ${pasid}` : `device ${delivery?.records[0]?.device ?? '?'} ${pasid}`;
}

/** When a group was answered, and how; undefined where that is not known. */
function answerOf({ answer, delivery }: RequestGroup): { readonly at: Nanoseconds; readonly code: number } | undefined {
  if (answer !== undefined) return { at: answer.submitted, code: answer.code };
  const response = delivery?.response;
  return response === undefined ? undefined : { at: response.at.from, code: response.code };
}

export function repeatsOf(
  groups: readonly RequestGroup[],
  flushes: ReadonlyMap<number, readonly Nanoseconds[]>,
): Repeats {
  const spaces = new Map<string, Map<PageNumber, { newest: RequestGroup; times: number }>>();
  const counts = { afterSuccess: 0, afterInvalid: 0, afterFailure: 0, whileOutstanding: 0, flushedBetween: 0 };
  let requests = 0;
  let mostOfOnePage = 0;
  for (const group of groups) {
    const key = spaceOf(group);
    const pages = spaces.get(key) ?? new Map<PageNumber, { newest: RequestGroup; times: number }>();
    spaces.set(key, pages);
    for (const { page, time } of pagesOf(group)) {
      const seen = pages.get(page);
      if (seen === undefined) {
        pages.set(page, { newest: group, times: 1 });
        mostOfOnePage = Math.max(mostOfOnePage, 1);
        continue;
      }
      requests++;
      seen.times++;
      mostOfOnePage = Math.max(mostOfOnePage, seen.times);
      const before = answerOf(seen.newest);
      if (before === undefined || before.at > time) counts.whileOutstanding++;
      else if (before.code === RESPONSE.success) {
        counts.afterSuccess++;
        if (anyBetween(flushes.get(group.rid) ?? [], before.at, time)) counts.flushedBetween++;
      } else if (before.code === RESPONSE.invalid) counts.afterInvalid++;
      else counts.afterFailure++;
      seen.newest = group;
    }
  }
  let pages = 0;
  let pagesAgain = 0;
  for (const space of spaces.values()) {
    pages += space.size;
    for (const { times } of space.values()) if (times > 1) pagesAgain++;
  }
  return { pages, pagesAgain, requests, ...counts, mostOfOnePage };
}

function anyBetween(times: readonly Nanoseconds[], from: Nanoseconds, to: Nanoseconds): boolean {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low < times.length && times[low]! <= to;
}

/** Blocks up to 2 MiB. */
const BLOCKS = [2, 4, 8, 16, 32, 64, 128, 256, 512] as const;

export function prefetchOf(groups: readonly RequestGroup[]): PrefetchRow[] {
  const told = groups.filter((group) => pagesOf(group).length > 0);
  if (told.length === 0) return [];
  return BLOCKS.map((blockPages) => {
    const spaces = new Map<string, Map<number, Nanoseconds>>();
    let avoided = 0;
    let blocks = 0;
    for (const group of told) {
      const key = spaceOf(group);
      const present = spaces.get(key) ?? new Map<number, Nanoseconds>();
      spaces.set(key, present);
      const pages = pagesOf(group);
      const since = closedAt(group) >= 0 ? closedAt(group) : (pages[0]?.time ?? 0);
      if (
        pages.every(({ page }) => (present.get(Math.floor(page / blockPages)) ?? Number.POSITIVE_INFINITY) <= since)
      ) {
        avoided++;
        continue;
      }
      const answer = answerOf(group);
      if (answer === undefined || answer.code !== RESPONSE.success) continue;
      for (const { page } of pages) {
        const block = Math.floor(page / blockPages);
        if (present.has(block)) continue;
        present.set(block, answer.at);
        blocks++;
      }
    }
    return { blockPages, blocks, avoided, share: avoided / told.length };
  });
}
