import type { Nanoseconds } from '../../../traces/units.ts';

const MOST_BINS = 400;
const FIRST_BIN_NS = 1000;

/** What is told of a number of things over time. */
export interface LevelSummary {
  /** Weighted by time, like the quantiles. */
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** The same by parts of the time. */
export interface LevelSeries {
  readonly startNs: Nanoseconds;
  readonly binNs: Nanoseconds;
  readonly mean: readonly number[];
  readonly max: readonly number[];
}

/** How many things there were at each time: a step function from its first change on. */
export class LevelOverTime {
  #level = 0;
  #since = Number.NaN;
  #start = 0;
  #area = 0;
  #most = 0;
  /** Time at each level. */
  #at = new Float64Array(64);
  #binNs = FIRST_BIN_NS;
  #bins = 0;
  readonly #areas = new Float64Array(MOST_BINS);
  readonly #mosts = new Float64Array(MOST_BINS);

  get level(): number {
    return this.#level;
  }

  /** From `time` on there are `level`; times must not go back. */
  set(time: Nanoseconds, level: number): void {
    if (Number.isNaN(this.#since)) {
      this.#since = time;
      this.#start = time;
    }
    this.#pass(time);
    this.#level = level;
    if (level > this.#most) this.#most = level;
    if (this.#bins > 0 && level > this.#mosts[this.#bins - 1]!) this.#mosts[this.#bins - 1] = level; // in range
  }

  /** Ends the time. */
  end(time: Nanoseconds): void {
    if (!Number.isNaN(this.#since)) this.#pass(time);
  }

  summary(): LevelSummary {
    const total = this.#at.reduce((sum, ns) => sum + ns, 0);
    const quantile = (share: number): number => {
      let seen = 0;
      for (let level = 0; level < this.#at.length; level++) {
        seen += this.#at[level]!; // in range
        if (seen >= share * total && seen > 0) return level;
      }
      return 0;
    };
    return {
      mean: total > 0 ? this.#area / total : 0,
      p50: quantile(0.5),
      p95: quantile(0.95),
      p99: quantile(0.99),
      max: this.#most,
    };
  }

  series(): LevelSeries {
    const mean: number[] = [];
    const max: number[] = [];
    for (let bin = 0; bin < this.#bins; bin++) {
      const until = Math.min(this.#since, this.#start + (bin + 1) * this.#binNs);
      const length = until - (this.#start + bin * this.#binNs);
      mean.push(length > 0 ? this.#areas[bin]! / length : 0); // in range, like the next
      max.push(this.#mosts[bin]!);
    }
    return { startNs: this.#start, binNs: this.#binNs, mean, max };
  }

  #pass(time: Nanoseconds): void {
    const passed = time - this.#since;
    if (passed <= 0) return;
    const level = this.#level;
    this.#area += level * passed;
    if (level >= this.#at.length) this.#grow(level);
    this.#at[level]! += passed;
    while (time - this.#start > MOST_BINS * this.#binNs) this.#halve();
    let from = this.#since;
    while (from < time) {
      const bin = Math.min(MOST_BINS - 1, Math.floor((from - this.#start) / this.#binNs));
      const to = Math.min(time, this.#start + (bin + 1) * this.#binNs);
      this.#bins = Math.max(this.#bins, bin + 1);
      if (level > this.#mosts[bin]!) this.#mosts[bin] = level; // in range, like the next
      // beyond 2^53 ns
      if (to <= from) break;
      this.#areas[bin]! += level * (to - from);
      from = to;
    }
    this.#since = time;
  }

  #grow(level: number): void {
    const at = new Float64Array(Math.max(level + 1, 2 * this.#at.length));
    at.set(this.#at);
    this.#at = at;
  }

  #halve(): void {
    for (let i = 0; i < MOST_BINS / 2; i++) {
      this.#areas[i] = this.#areas[2 * i]! + this.#areas[2 * i + 1]!; // MOST_BINS is even
      this.#mosts[i] = Math.max(this.#mosts[2 * i]!, this.#mosts[2 * i + 1]!);
    }
    this.#areas.fill(0, MOST_BINS / 2);
    this.#mosts.fill(0, MOST_BINS / 2);
    this.#bins = Math.ceil(this.#bins / 2);
    this.#binNs *= 2;
  }
}
