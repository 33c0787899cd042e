import type { WaitQuantiles } from '../../results.ts';

const NONE: WaitQuantiles = { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 };

/** One bar of a distribution: durations from `fromNs`, up to the next bar's. */
export interface LatencyBar {
  readonly fromNs: number;
  readonly count: number;
}

/** Bars in a factor of two. */
const BARS_PER_OCTAVE = 4;

/** Durations in the order in which they came; kept all, so that quantiles are exact. */
export class Samples {
  #values = new Float64Array(1024);
  #sorted = false;
  readonly #keep: boolean;
  count = 0;
  sum = 0;
  max = 0;

  /** `keep` false: only count, sum and maximum, for runs of many millions. */
  constructor(keep: boolean) {
    this.#keep = keep;
  }

  add(ns: number): void {
    this.sum += ns;
    if (ns > this.max) this.max = ns;
    if (this.#keep) {
      if (this.count === this.#values.length) {
        const more = new Float64Array(2 * this.#values.length);
        more.set(this.#values);
        this.#values = more;
      }
      this.#values[this.count] = ns;
      this.#sorted = false;
    }
    this.count++;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** Nearest rank. Quantiles are 0 where samples are not kept. */
  quantiles(): WaitQuantiles {
    if (this.count === 0) return NONE;
    const { count, max, mean } = this;
    if (!this.#keep) return { ...NONE, count, mean, max };
    const sorted = this.#inOrder();
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * count) - 1)]!; // in range
    return { count, mean, p50: at(0.5), p95: at(0.95), p99: at(0.99), max };
  }

  /** Four bars in each factor of two, from the first that has a sample to the last; what took no time is a bar at 0. */
  bars(): readonly LatencyBar[] {
    const sorted = this.#keep ? this.#inOrder() : new Float64Array(0);
    const bars: { fromNs: number; count: number }[] = [];
    let octave = Number.NaN;
    for (const ns of sorted) {
      const bar = ns < 1 ? -1 : Math.floor(Math.log2(ns) * BARS_PER_OCTAVE);
      const last = bars.at(-1);
      if (bar === octave && last !== undefined) last.count++;
      else {
        if (octave >= 0) {
          for (let empty = octave + 1; empty < bar; empty++) bars.push({ fromNs: fromOf(empty), count: 0 });
        }
        bars.push({ fromNs: fromOf(bar), count: 1 });
        octave = bar;
      }
    }
    return bars;
  }

  #inOrder(): Float64Array {
    if (!this.#sorted) this.#values.subarray(0, this.count).sort();
    this.#sorted = true;
    return this.#values.subarray(0, this.count);
  }
}

function fromOf(bar: number): number {
  return bar < 0 ? 0 : 2 ** (bar / BARS_PER_OCTAVE);
}
