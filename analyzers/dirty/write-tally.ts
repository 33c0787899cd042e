import type { Nanoseconds } from '../../traces/units.ts';
import { Footprint, windowLengths } from './footprint.ts';
import type { WorkingSetPoint } from './footprint.ts';
import { heatMap } from './heat-map.ts';
import type { HeatMap } from './heat-map.ts';
import { LeafSets, PAGE_BYTES, doubled } from './leaf-sets.ts';
import type { HotSet } from './leaf-sets.ts';
import { PageIndex, keyHigh } from './page-index.ts';

/** Parts of the trace that are told apart. */
const BINS = 120;
/** Different pages: 64 GiB. */
const MOST_PAGES = 2 ** 24;
/** Intervals listed; sums are of all. */
const MOST_INTERVALS = 1000;

export interface DirtyRate {
  readonly startNs: Nanoseconds;
  readonly binNs: Nanoseconds;
  /** By part of the time: writes, and different pages of 4 KiB that they went to. */
  readonly writes: readonly number[];
  readonly pages: readonly number[];
  /** Largest of `pages`, as bytes a second. */
  readonly peakBytesPerSecond: number;
  /** Of all parts, as bytes a second. */
  readonly meanBytesPerSecond: number;
}

/** Between two harvests. */
export interface DirtyInterval {
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** Different pages of 4 KiB that were written. */
  readonly pages: number;
  /** By leaf size (`overReporting`): leaves that were written. */
  readonly leaves: readonly number[];
}

/** What harvests of one leaf size report, against what was written. */
export interface OverReporting {
  readonly leafBytes: number;
  /** Dirty leaves of all harvests, and the pages of 4 KiB in them: a leaf counts whole. */
  readonly leaves: number;
  readonly reportedPages: number;
  readonly writtenPages: number;
  /** Reported for each one that was written; null where nothing was. */
  readonly factor: number | null;
}

export interface WriteSummary {
  readonly writes: number;
  /** Different pages of 4 KiB. */
  readonly pages: number;
  readonly bytes: number;
  readonly rate: DirtyRate;
  readonly workingSet: readonly WorkingSetPoint[];
  readonly hotSets: readonly HotSet[];
  readonly heat: HeatMap;
}

export interface Intervals {
  readonly count: number;
  /** The first 1,000. */
  readonly intervals: readonly DirtyInterval[];
  readonly overReporting: readonly OverReporting[];
}

/** Which pages are written when. Pages are of 4 KiB, whatever maps them. */
export class WriteTally {
  /** Writes to pages beyond those that are told apart. */
  beyond = 0;
  #writes = 0;
  readonly #startNs: Nanoseconds;
  readonly #endNs: Nanoseconds;
  readonly #binNs: Nanoseconds;
  readonly #index = new PageIndex();
  readonly #leaves = new LeafSets();
  readonly #footprint: Footprint;
  /** By page. */
  #counts = new Float64Array(1024);
  #last = new Float64Array(1024);
  #lastBin = new Int32Array(1024);
  #binPages = new Int32Array(4096);
  #binBins = new Int32Array(4096);
  #pairs = 0;
  readonly #rateWrites = new Array<number>(BINS).fill(0);
  readonly #ratePages = new Array<number>(BINS).fill(0);
  #interval = -1;
  #intervalStart = 0;
  #intervalLeaves: Float64Array;
  readonly #leafSums: Float64Array;
  readonly #intervals: DirtyInterval[] = [];

  constructor(startNs: Nanoseconds, endNs: Nanoseconds) {
    this.#startNs = startNs;
    this.#endNs = Math.max(endNs, startNs + 1);
    this.#binNs = Math.max(1, Math.ceil((this.#endNs - startNs + 1) / BINS));
    this.#footprint = new Footprint(windowLengths(this.#endNs - startNs));
    this.#intervalLeaves = new Float64Array(this.#leaves.bytes.length);
    this.#leafSums = new Float64Array(this.#leaves.bytes.length);
  }

  /** Number of a page of 4 KiB; -1 where there are too many. `high`: bits of its number above the low 32. */
  page(space: number, lo: number, high: number): number {
    const before = this.#index.size;
    const key = keyHigh(high, space);
    const page = this.#index.of(lo, key, MOST_PAGES);
    if (page < 0) this.beyond++;
    else if (page === before) {
      this.#leaves.add(page, lo, key);
      if (page === this.#counts.length) {
        this.#counts = doubled(this.#counts, 0);
        this.#last = doubled(this.#last, 0);
        this.#lastBin = doubled(this.#lastBin, 0);
      }
      this.#last[page] = this.#startNs;
      this.#lastBin[page] = -1;
    }
    return page;
  }

  written(page: number, at: Nanoseconds): void {
    if (page < 0) return;
    this.#writes++;
    this.#counts[page]!++;
    this.#footprint.gap(Math.max(0, at - this.#last[page]!));
    this.#last[page] = at;
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((at - this.#startNs) / this.#binNs)));
    this.#rateWrites[bin]!++;
    if (this.#lastBin[page] === bin) return;
    this.#lastBin[page] = bin;
    this.#ratePages[bin]!++;
    if (this.#pairs === this.#binPages.length) {
      this.#binPages = doubled(this.#binPages, 0);
      this.#binBins = doubled(this.#binBins, 0);
    }
    this.#binPages[this.#pairs] = page;
    this.#binBins[this.#pairs++] = bin;
  }

  /** The page is dirty now; what comes before the first harvest, or behind the last, is in no interval. */
  dirtied(page: number): void {
    if (page >= 0 && this.#interval >= 0) this.#leaves.write(page, this.#interval, this.#intervalLeaves);
  }

  /** The dirty state is read and cleared. Returns the pages that became dirty since the harvest before. */
  harvest(at: Nanoseconds): number {
    const [pages = 0] = this.#intervalLeaves;
    if (this.#interval >= 0) {
      this.#intervalLeaves.forEach((leaves, i) => (this.#leafSums[i]! += leaves));
      if (this.#intervals.length < MOST_INTERVALS) {
        const startNs = this.#intervalStart;
        this.#intervals.push({ startNs, endNs: at, pages, leaves: [...this.#intervalLeaves] });
      }
    }
    this.#interval++;
    this.#intervalStart = at;
    this.#intervalLeaves.fill(0);
    return pages;
  }

  /** Ends the tally. Undefined where nothing was written. */
  summary(nameOf: (space: number) => string): WriteSummary | undefined {
    const pages = this.#index.size;
    if (this.#writes === 0) return undefined;
    for (let page = 0; page < pages; page++) this.#footprint.gap(Math.max(0, this.#endNs - this.#last[page]!));
    const seconds = this.#binNs / 1e9;
    const time = { startNs: this.#startNs, binNs: this.#binNs, bins: BINS };
    const written = { length: this.#pairs, pages: this.#binPages, bins: this.#binBins };
    const sum = this.#ratePages.reduce((all, count) => all + count, 0);
    return {
      writes: this.#writes,
      pages,
      bytes: pages * PAGE_BYTES,
      rate: {
        startNs: this.#startNs,
        binNs: this.#binNs,
        writes: this.#rateWrites,
        pages: this.#ratePages,
        peakBytesPerSecond: (Math.max(...this.#ratePages) * PAGE_BYTES) / seconds,
        meanBytesPerSecond: (sum * PAGE_BYTES) / (seconds * BINS),
      },
      workingSet: this.#footprint.points(pages),
      hotSets: this.#leaves.hotSets(this.#counts),
      heat: heatMap(this.#index, written, time, nameOf),
    };
  }

  /** Null without two harvests. */
  intervals(): Intervals | null {
    if (this.#interval < 1) return null;
    const [writtenPages = 0] = this.#leafSums;
    return {
      count: this.#interval,
      intervals: this.#intervals,
      overReporting: this.#leaves.bytes.map((leafBytes, i) => {
        const leaves = this.#leafSums[i] ?? 0;
        const reportedPages = (leaves * leafBytes) / PAGE_BYTES;
        return {
          leafBytes,
          leaves,
          reportedPages,
          writtenPages,
          factor: writtenPages === 0 ? null : reportedPages / writtenPages,
        };
      }),
    };
  }
}
