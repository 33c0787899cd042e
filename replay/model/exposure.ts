import type { Nanoseconds } from '../../traces/units.ts';
import type { Exposure } from '../results.ts';
import { DurationCounts } from './duration-counts.ts';
import { DROP } from './iotlb.ts';

const BUCKETS = 53;

/** How an exposure ended. */
export const ENDED = { command: 0, replacement: 1, overflow: 2, remap: 3, open: 4 } as const;

/** What ends an exposure when the entry is dropped, by `DROP` value; a reset of the unit is software's doing, as a command is. */
export const ENDED_BY_DROP: readonly number[] = (() => {
  const by: number[] = [];
  by[DROP.command] = ENDED.command;
  by[DROP.replacement] = ENDED.replacement;
  by[DROP.overflow] = ENDED.overflow;
  by[DROP.reset] = ENDED.command;
  return by;
})();

/** What exposures added up to, as plain data. */
export interface ExposureSums {
  readonly exposed: number;
  readonly unmappedPages: number;
  readonly pageNs: number;
  readonly ended: readonly number[];
  readonly histogram: readonly number[];
  /** Pages by duration. */
  readonly durations: readonly (readonly [ns: number, pages: number])[];
}

/** What exposures of one or several caches add up to. */
export class ExposureTotals {
  /** Pages exposed now. */
  now = 0;
  /** Most pages exposed at once since the reader last set it to `now`. */
  peak = 0;
  /** Pages unmapped in all: the machine's to count. */
  unmappedPages = 0;
  #exposed = 0;
  #most = 0;
  #pageNs = 0;
  readonly #ended = [0, 0, 0, 0, 0];
  readonly #histogram: number[] = Array.from({ length: BUCKETS }, () => 0);
  readonly #durations = new DurationCounts();

  begin(pages: number): void {
    this.#exposed += pages;
    this.now += pages;
    if (this.now > this.peak) {
      this.peak = this.now;
      if (this.now > this.#most) this.#most = this.now;
    }
  }

  end(ns: number, pages: number, how: number): void {
    const duration = ns > 0 ? Math.round(ns) : 0;
    this.now -= pages;
    this.#pageNs += duration * pages;
    this.#ended[how]! += pages;
    this.#durations.add(duration, pages);
    this.#histogram[Math.min(BUCKETS - 1, log2(duration))]! += pages;
  }

  sums(): ExposureSums {
    return {
      exposed: this.#exposed,
      unmappedPages: this.unmappedPages,
      pageNs: this.#pageNs,
      ended: this.#ended,
      histogram: this.#histogram,
      durations: [...this.#durations.entries()],
    };
  }

  /** Adds what other caches had, that were told of the same unmaps. Their most at once is not known: `most` is that of all. */
  addSums(others: readonly ExposureSums[], most: number): void {
    for (const other of others) {
      this.#exposed += other.exposed;
      this.unmappedPages = other.unmappedPages;
      this.#pageNs += other.pageNs;
      other.ended.forEach((pages, how) => (this.#ended[how]! += pages));
      other.histogram.forEach((pages, bucket) => (this.#histogram[bucket]! += pages));
      for (const [ns, pages] of other.durations) this.#durations.add(ns, pages);
    }
    this.#most = Math.max(this.#most, most);
  }

  report(): Exposure {
    const [p50 = 0, p95 = 0, p99 = 0, max = 0] = this.#durations.quantiles([0.5, 0.95, 0.99, 1]);
    const [command = 0, replacement = 0, overflow = 0, remap = 0, open = 0] = this.#ended;
    let buckets = BUCKETS;
    while (buckets > 0 && this.#histogram[buckets - 1] === 0) buckets--;
    return {
      pages: this.#exposed,
      unmappedPages: this.unmappedPages,
      pageSeconds: this.#pageNs / 1e9,
      ns: { p50, p95, p99, max },
      maxAtOnce: this.#most,
      endedBy: { command, replacement, overflow, remap, open },
      histogram: this.#histogram.slice(0, buckets),
    };
  }
}

/**
 * The staleness ledger of one cache: which cached translations the page tables no longer hold, since when, and how that ended.
 * An exposure is a run of pages of one cache slot; slots of 4 KiB have at most one.
 */
export class ExposureLedger {
  readonly totals: ExposureTotals;
  /** Newest exposure of a slot plus 1, or 0. */
  readonly #heads: Int32Array;
  #next: Int32Array = new Int32Array(256);
  #offset: Int32Array = new Int32Array(256);
  #pages: Int32Array = new Int32Array(256);
  #since: Float64Array = new Float64Array(256);
  #free: number[] = [];
  #used = 0;
  /** When the slot's translation first became stale, and by which event. Valid while the slot is suspect. */
  readonly suspectSince: Float64Array;
  readonly suspectEvent: Float64Array;

  constructor(capacity: number, totals: ExposureTotals) {
    this.totals = totals;
    this.#heads = new Int32Array(capacity);
    this.suspectSince = new Float64Array(capacity);
    this.suspectEvent = new Float64Array(capacity);
  }

  /** Pages `offset` to `offset + pages - 1` of a slot were unmapped. Those that are exposed already stay as they are. */
  expose(slot: number, offset: number, pages: number, time: Nanoseconds): void {
    let fresh = pages;
    for (let at = this.#heads[slot]!; at !== 0; at = this.#next[at - 1]!) {
      fresh -= overlap(offset, pages, this.#offset[at - 1]!, this.#pages[at - 1]!);
    }
    if (fresh <= 0) return;
    const node = this.#free.pop() ?? this.#allocate();
    this.#next[node] = this.#heads[slot]!;
    this.#offset[node] = offset;
    this.#pages[node] = fresh;
    this.#since[node] = time;
    this.#heads[slot] = node + 1;
    this.totals.begin(fresh);
  }

  /** Every exposure of a slot ends. */
  end(slot: number, time: Nanoseconds, how: number): void {
    for (let at = this.#heads[slot]!; at !== 0; ) {
      const node = at - 1;
      this.totals.end(time - this.#since[node]!, this.#pages[node]!, how);
      at = this.#next[node]!;
      this.#free.push(node);
    }
    this.#heads[slot] = 0;
  }

  /** Some pages of a slot were mapped again. */
  remap(slot: number, offset: number, pages: number, time: Nanoseconds): void {
    let previous = -1;
    for (let at = this.#heads[slot]!; at !== 0; ) {
      const node = at - 1;
      const next = this.#next[node]!;
      const again = overlap(offset, pages, this.#offset[node]!, this.#pages[node]!);
      if (again > 0) {
        this.totals.end(time - this.#since[node]!, again, ENDED.remap);
        this.#pages[node]! -= again;
        if (offset <= this.#offset[node]!) this.#offset[node]! += again;
      }
      if (this.#pages[node] === 0) {
        if (previous < 0) this.#heads[slot] = next;
        else this.#next[previous] = next;
        this.#free.push(node);
      } else previous = node;
      at = next;
    }
  }

  #allocate(): number {
    if (this.#used === this.#next.length) {
      this.#next = grown(this.#next);
      this.#offset = grown(this.#offset);
      this.#pages = grown(this.#pages);
      const since = new Float64Array(this.#used * 2);
      since.set(this.#since);
      this.#since = since;
    }
    return this.#used++;
  }
}

function grown(array: Int32Array): Int32Array {
  const next = new Int32Array(array.length * 2);
  next.set(array);
  return next;
}

function overlap(a: number, aLength: number, b: number, bLength: number): number {
  return Math.max(0, Math.min(a + aLength, b + bLength) - Math.max(a, b));
}

/** Whole part of the binary logarithm; 0 for 0. Exact for integers below 2^53. */
function log2(value: number): number {
  if (value < 0x1_0000_0000) return value < 1 ? 0 : 31 - Math.clz32(value);
  return 63 - Math.clz32(Math.floor(value / 0x1_0000_0000));
}
