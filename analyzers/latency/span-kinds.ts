import { DurationCounts } from '../../replay/model/duration-counts.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** Shares whose spans are told. */
const SHARES = [0.5, 0.9, 0.95, 0.99, 0.999] as const;

export interface SpanQuantiles {
  readonly min: Nanoseconds;
  readonly p50: Nanoseconds;
  readonly p90: Nanoseconds;
  readonly p95: Nanoseconds;
  readonly p99: Nanoseconds;
  readonly p999: Nanoseconds;
  readonly max: Nanoseconds;
  readonly mean: Nanoseconds;
}

/** Spans of one kind in one part of the trace. */
export interface SpanBin {
  readonly startNs: Nanoseconds;
  readonly count: number;
  readonly p50: Nanoseconds;
  readonly p99: Nanoseconds;
  readonly max: Nanoseconds;
}

export interface SpanReport {
  readonly name: string;
  readonly count: number;
  /** All spans together. */
  readonly sumNs: Nanoseconds;
  /** Exact, by nearest rank. */
  readonly ns: SpanQuantiles;
  /** Spans by when they ended; bins of the same length, empty ones with count 0. */
  readonly bins: readonly SpanBin[];
}

/** Spans of one name: exact quantiles of all, and over time. */
export class SpanTally {
  readonly #all = new DurationCounts();
  readonly #bins: (Bin | undefined)[];
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  constructor(bins: number) {
    this.#bins = Array.from({ length: bins }, () => undefined);
  }

  add(bin: number, ns: Nanoseconds): void {
    this.#count++;
    this.#sum += ns;
    if (ns < this.#min) this.#min = ns;
    if (ns > this.#max) this.#max = ns;
    this.#all.add(ns, 1);
    const one = (this.#bins[bin] ??= { counts: new DurationCounts(), count: 0, max: 0 });
    one.counts.add(ns, 1);
    one.count++;
    if (ns > one.max) one.max = ns;
  }

  report(name: string, startNs: Nanoseconds, binNs: Nanoseconds): SpanReport {
    const [p50 = 0, p90 = 0, p95 = 0, p99 = 0, p999 = 0] = this.#all.quantiles(SHARES);
    return {
      name,
      count: this.#count,
      sumNs: this.#sum,
      ns: { min: this.#min, p50, p90, p95, p99, p999, max: this.#max, mean: this.#sum / this.#count },
      bins: this.#bins.map((bin, i) => {
        const [median = 0, tail = 0] = bin?.counts.quantiles([0.5, 0.99]) ?? [];
        return { startNs: startNs + i * binNs, count: bin?.count ?? 0, p50: median, p99: tail, max: bin?.max ?? 0 };
      }),
    };
  }
}

interface Bin {
  readonly counts: DurationCounts;
  count: number;
  max: Nanoseconds;
}
