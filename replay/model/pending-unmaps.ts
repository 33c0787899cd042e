import type { Nanoseconds, PageNumber } from '../../traces/units.ts';

/** Pages that were unmapped and that no command has named since. */
export interface PendingUnmap {
  first: PageNumber;
  last: PageNumber;
  readonly time: Nanoseconds;
  /** Index of the unmap in the trace. */
  readonly event: number;
  /** Who unmapped: whoever should send the command. */
  readonly submitter: number;
  /** Its submitter has flushed since and has left it out. */
  overdue: boolean;
}

/** How the wait of some pages for their command ended. */
export const SETTLED = { covered: 0, remapped: 1, open: 2 } as const;

export type SettledListener = (unmap: PendingUnmap, pages: number, how: number, event: number) => void;

/** Ranges that may wait at once for one cache; more is a recording without its commands. */
const LIMIT = 1 << 16;

/**
 * Unmapped ranges of one domain that wait for one cache to be told. Ranges never overlap: a page that is unmapped again was
 * mapped in between, which has settled it. Held in order of address, so that a command finds what it covers by bisection.
 */
export class PendingUnmaps {
  readonly #ranges: PendingUnmap[] = [];
  readonly #onSettled: SettledListener;
  /** By submitter: ranges that wait, and whether a command of it has covered some since it last unmapped. */
  readonly #submitters = new Map<number, { waiting: number; flushed: boolean }>();
  /** Ranges that were given up because too many waited. */
  dropped = 0;

  /** `onSettled` is told of each range, or piece of one, that stops waiting. */
  constructor(onSettled: SettledListener) {
    this.#onSettled = onSettled;
  }

  get count(): number {
    return this.#ranges.length;
  }

  add(first: PageNumber, last: PageNumber, time: Nanoseconds, event: number, submitter: number): void {
    // an unmap of pages that are waiting already: only the first counts
    const at = this.#from(first);
    if ((this.#ranges[at]?.first ?? Number.POSITIVE_INFINITY) <= last) return;
    this.judge(submitter);
    if (this.#ranges.length >= LIMIT) {
      this.dropped++;
      return;
    }
    this.#ranges.splice(at, 0, { first, last, time, event, submitter, overdue: false });
    this.#wait(submitter, 1);
  }

  /** Like `add`, for pages of which some may be waiting already: the rest of them. */
  addRest(first: PageNumber, last: PageNumber, time: Nanoseconds, event: number, submitter: number): void {
    for (let from = first; from <= last; ) {
      const next = this.#ranges[this.#from(from)];
      const free = Math.min(last, (next?.first ?? Number.POSITIVE_INFINITY) - 1);
      if (free >= from) this.add(from, free, time, event, submitter);
      if (next === undefined) return;
      from = next.last + 1;
    }
  }

  /** A command of `submitter` covers these pages. Returns how many of them were waiting. */
  cover(first: PageNumber, last: PageNumber, event: number, submitter: number): number {
    const pages = this.#settle(first, last, SETTLED.covered, event);
    const mine = this.#submitters.get(submitter);
    if (pages > 0 && mine !== undefined) mine.flushed = true;
    return pages;
  }

  /** These pages were mapped again. */
  remap(first: PageNumber, last: PageNumber, event: number): void {
    this.#settle(first, last, SETTLED.remapped, event);
  }

  /** The submitter waits, or goes on to other work: what its flush left out is overdue. */
  judge(submitter: number): void {
    const mine = this.#submitters.get(submitter);
    if (mine === undefined || !mine.flushed) return;
    mine.flushed = false;
    if (mine.waiting === 0) return;
    for (const range of this.#ranges) if (range.submitter === submitter) range.overdue = true;
  }

  /** Nothing follows. */
  finish(event: number): void {
    for (const submitter of this.#submitters.keys()) this.judge(submitter);
    this.#settle(0, Number.MAX_SAFE_INTEGER, SETTLED.open, event);
  }

  #settle(first: PageNumber, last: PageNumber, how: number, event: number): number {
    const ranges = this.#ranges;
    const from = this.#from(first);
    let to = from;
    let pages = 0;
    const pieces: PendingUnmap[] = [];
    for (; to < ranges.length; to++) {
      const range = ranges[to];
      if (range === undefined || range.first > last) break;
      const start = Math.max(range.first, first);
      const end = Math.min(range.last, last);
      pages += end - start + 1;
      this.#onSettled(range, end - start + 1, how, event);
      if (range.first < first) pieces.push({ ...range, last: first - 1 });
      if (range.last > last) pieces.push({ ...range, first: last + 1 });
      this.#wait(range.submitter, -1);
    }
    for (const { submitter } of pieces) this.#wait(submitter, 1);
    if (to > from) ranges.splice(from, to - from, ...pieces);
    return pages;
  }

  #wait(submitter: number, change: number): void {
    const mine = this.#submitters.get(submitter);
    if (mine === undefined) this.#submitters.set(submitter, { waiting: change, flushed: false });
    else mine.waiting += change;
  }

  /** Index of the first range that ends at or behind a page. */
  #from(page: PageNumber): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.last ?? 0) < page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
