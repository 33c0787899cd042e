import type { Nanoseconds } from '../../traces/units.ts';

const MAX_BINS = 500;
const FIRST_BIN_NS = 1000;

/**
 * How busy something was over time, in at most 500 bins, for a run whose length is not known beforehand: when the bins run out,
 * each two become one.
 */
export class BusySeries {
  binNs = FIRST_BIN_NS;
  start: Nanoseconds = Number.NaN;
  readonly busyNs: number[] = [];

  /** Busy from `from` to `to`, which must not be before the first call's `from` by more than bins can hold: that part is dropped. */
  add(from: Nanoseconds, to: Nanoseconds): void {
    if (Number.isNaN(this.start)) this.start = from;
    while ((to - this.start) / this.binNs >= MAX_BINS) this.#halve();
    let at = Math.max(from, this.start);
    while (at < to) {
      const bin = Math.floor((at - this.start) / this.binNs);
      const end = Math.min(to, this.start + (bin + 1) * this.binNs);
      // beyond 2^53 ns
      if (end <= at) return;
      while (this.busyNs.length <= bin) this.busyNs.push(0);
      this.busyNs[bin]! += end - at; // the bin was just made
      at = end;
    }
  }

  /** Share of each bin that was busy. */
  shares(): number[] {
    return this.busyNs.map((ns) => ns / this.binNs);
  }

  #halve(): void {
    const half = Math.ceil(this.busyNs.length / 2);
    for (let i = 0; i < half; i++) this.busyNs[i] = this.busyNs[2 * i]! + (this.busyNs[2 * i + 1] ?? 0);
    this.busyNs.length = half;
    this.binNs *= 2;
  }
}
