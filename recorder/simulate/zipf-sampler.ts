import type { Random } from '../../traces/random.ts';

/** Steps of the guide table: an index into the cumulated weights for each, so that a sample costs a few steps at most. */
const GUIDE_STEPS = 1 << 16;

/**
 * Ranks 0 to n - 1, rank r drawn with a probability proportional to 1 / (r + 1)^alpha; alpha 0 is uniform. Inversion of the
 * cumulated weights by a guide table (Chen and Asau, 1974). Holds 8 bytes per rank.
 */
export class ZipfSampler {
  readonly #cumulated: Float64Array;
  readonly #guide = new Int32Array(GUIDE_STEPS + 1);
  readonly #total: number;

  constructor(n: number, alpha: number) {
    this.#cumulated = new Float64Array(n);
    let total = 0;
    for (let r = 0; r < n; r++) {
      total += alpha === 0 ? 1 : (r + 1) ** -alpha;
      this.#cumulated[r] = total;
    }
    this.#total = total;
    let r = 0;
    for (let step = 0; step <= GUIDE_STEPS; step++) {
      const bound = (total * step) / GUIDE_STEPS;
      while (r < n - 1 && (this.#cumulated[r] as number) < bound) r++;
      this.#guide[step] = r;
    }
  }

  next(random: Random): number {
    const u = random.unit();
    let r = this.#guide[Math.floor(u * GUIDE_STEPS)] as number;
    const target = u * this.#total;
    const last = this.#cumulated.length - 1;
    while (r < last && (this.#cumulated[r] as number) < target) r++;
    return r;
  }
}

/** The numbers 0 to n - 1 in random order (Fisher and Yates). */
export function permutation(n: number, random: Random): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const other = order[j] as number;
    order[j] = order[i] as number;
    order[i] = other;
  }
  return order;
}
