import type { Nanoseconds } from '../../traces/units.ts';
import { DurationCounts } from '../model/duration-counts.ts';
import type { WaitQuantiles } from '../results.ts';

const SHARES = [0.5, 0.95, 0.99, 1] as const;

/** Durations, exact to the ns, and what is told of them. */
export class WaitTimes {
  readonly #counts = new DurationCounts();
  count = 0;
  sum = 0;

  add(ns: Nanoseconds): void {
    this.#counts.add(Math.round(ns), 1);
    this.count++;
    this.sum += ns;
  }

  quantiles(): WaitQuantiles {
    const [p50 = 0, p95 = 0, p99 = 0, max = 0] = this.#counts.quantiles(SHARES);
    return { count: this.count, mean: this.count === 0 ? 0 : this.sum / this.count, p50, p95, p99, max };
  }
}
