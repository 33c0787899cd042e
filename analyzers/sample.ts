/** A sample in figures: nearest-rank percentiles. */
export interface Spread {
  readonly sum: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Numbers whose spread is wanted; 8 bytes each. */
export class Sample {
  #values = new Float64Array(16);
  count = 0;

  add(value: number): void {
    if (this.count === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.count++] = value;
  }

  /** All 0 for an empty sample. */
  spread(): Spread {
    const sorted = this.#values.slice(0, this.count).sort();
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    const sum = sorted.reduce((total, value) => total + value, 0);
    return { sum, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? 0 };
  }
}
