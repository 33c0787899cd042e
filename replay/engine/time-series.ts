import type { Nanoseconds } from '../../traces/units.ts';
import type { TimeSeries } from '../results.ts';

const MAX_BINS = 500;
const FIRST_BIN_NS = 1000;

/** Running totals at the end of a bin. */
export interface SeriesTotals {
  commands: number;
  syncs: number;
  lookups: number;
  hits: number;
  /** Most pages exposed at once in the bin. */
  peakExposed: number;
}

/**
 * Counts over time in at most 500 bins, for a run whose length is not known beforehand: when the bins run out, each two become
 * one. The caller asks `binEnd` per event and calls `advance` only when an event is past it.
 */
export class SeriesBuilder {
  binEnd = Number.NEGATIVE_INFINITY;
  #binNs = FIRST_BIN_NS;
  #start = 0;
  #bin = -1;
  readonly #before = { commands: 0, syncs: 0, lookups: 0, hits: 0 };
  readonly #commands: number[] = [];
  readonly #syncs: number[] = [];
  readonly #lookups: number[] = [];
  readonly #hits: number[] = [];
  readonly #exposed: number[] = [];

  /** Books what was counted since the last call into the bin that just ended, and opens the one that holds `time`. */
  advance(time: Nanoseconds, totals: SeriesTotals): void {
    if (this.#bin < 0) {
      this.#start = time;
      this.#bin = 0;
      this.#extend();
    } else {
      this.#book(totals);
      this.#bin = Math.max(this.#bin, Math.floor((time - this.#start) / this.#binNs));
      while (this.#bin >= MAX_BINS) this.#halve();
      this.#extend();
    }
    this.binEnd = this.#start + (this.#bin + 1) * this.#binNs;
  }

  finish(totals: SeriesTotals): TimeSeries {
    if (this.#bin >= 0) this.#book(totals);
    return {
      binNs: this.#binNs,
      startNs: this.#start,
      commands: this.#commands,
      syncs: this.#syncs,
      lookups: this.#lookups,
      hits: this.#hits,
      exposedPages: this.#exposed,
    };
  }

  #book(totals: SeriesTotals): void {
    const before = this.#before;
    const at = this.#bin;
    this.#commands[at]! += totals.commands - before.commands;
    this.#syncs[at]! += totals.syncs - before.syncs;
    this.#lookups[at]! += totals.lookups - before.lookups;
    this.#hits[at]! += totals.hits - before.hits;
    this.#exposed[at] = Math.max(this.#exposed[at]!, totals.peakExposed);
    before.commands = totals.commands;
    before.syncs = totals.syncs;
    before.lookups = totals.lookups;
    before.hits = totals.hits;
  }

  /** Bins that nothing happened in hold what stayed exposed through them. */
  #extend(): void {
    const exposed = this.#exposed.at(-1) ?? 0;
    while (this.#commands.length <= this.#bin) {
      this.#commands.push(0);
      this.#syncs.push(0);
      this.#lookups.push(0);
      this.#hits.push(0);
      this.#exposed.push(this.#commands.length <= this.#bin ? exposed : 0);
    }
  }

  #halve(): void {
    const add = (a: number, b: number): number => a + b;
    pairs(this.#commands, add);
    pairs(this.#syncs, add);
    pairs(this.#lookups, add);
    pairs(this.#hits, add);
    pairs(this.#exposed, Math.max);
    this.#binNs *= 2;
    this.#bin = Math.floor(this.#bin / 2);
  }
}

function pairs(bins: number[], join: (a: number, b: number) => number): void {
  const half = Math.ceil(bins.length / 2);
  for (let i = 0; i < half; i++) bins[i] = join(bins[2 * i]!, bins[2 * i + 1] ?? 0);
  bins.length = half;
}
