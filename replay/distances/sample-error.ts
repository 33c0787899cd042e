/** Parts that a sample is split into by its hashes. */
const GROUPS = 32;

/**
 * How far misses that are scaled up from a sample of pages may be off: the sample is split into groups of pages by their hashes, each an
 * equally good sample, and what they differ by tells the standard error of their sum.
 */
export class SampleError {
  readonly #sizes: number;
  readonly #rate: number;
  readonly #found: Float64Array;
  readonly #lookups = new Float64Array(GROUPS);

  constructor(sizes: number, rate: number) {
    this.#sizes = sizes;
    this.#rate = rate;
    this.#found = new Float64Array(GROUPS * (sizes + 1));
  }

  /** `reach`: index of the smallest size that has the entry, or the number of sizes. */
  add(hash: number, reach: number): void {
    // hashes of a sample are small: their low bits are as random as any
    const group = hash & (GROUPS - 1);
    this.#lookups[group]!++;
    this.#found[group * (this.#sizes + 1) + reach]!++;
  }

  /** Standard error of the misses of all pages, at the size with that index. */
  of(size: number): number {
    const misses = Array.from(this.#lookups, (lookups, group) => {
      let hits = 0;
      for (let at = 0; at <= size; at++) hits += this.#found[group * (this.#sizes + 1) + at]!;
      return lookups - hits;
    });
    const mean = misses.reduce((sum, count) => sum + count, 0) / GROUPS;
    const squares = misses.reduce((sum, count) => sum + (count - mean) ** 2, 0);
    return Math.round(Math.sqrt((GROUPS / (GROUPS - 1)) * squares * (1 - this.#rate)) / this.#rate);
  }
}
