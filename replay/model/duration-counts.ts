const TWO_32 = 2 ** 32;

/**
 * Weights by duration, exact: one slot per distinct duration in an open-addressing hash, so that memory follows the number of
 * distinct durations and an addition costs no allocation. Durations are integers from 0 to 2^53.
 */
export class DurationCounts {
  #keys = new Float64Array(2048).fill(-1);
  #weights = new Float64Array(2048);
  #distinct = 0;
  #total = 0;

  add(ns: number, weight: number): void {
    const at = this.#find(ns);
    this.#total += weight;
    if (this.#keys[at] === ns) {
      this.#weights[at]! += weight;
      return;
    }
    this.#keys[at] = ns;
    this.#weights[at] = weight;
    if (++this.#distinct * 2 > this.#keys.length) this.#grow();
  }

  /** All of them, weight by duration. */
  *entries(): Generator<readonly [ns: number, weight: number]> {
    for (const [at, ns] of this.#keys.entries()) if (ns >= 0) yield [ns, this.#weights[at]!];
  }

  /** Nearest rank by weight: the shortest duration that at least `share` of all weight does not exceed. 0 where there is none. */
  quantiles(shares: readonly number[]): number[] {
    const sorted = this.#keys.filter((key) => key >= 0).sort();
    return shares.map((share) => {
      const rank = Math.max(1, Math.ceil(share * this.#total));
      let seen = 0;
      for (const ns of sorted) {
        seen += this.#weights[this.#find(ns)]!;
        if (seen >= rank) return ns;
      }
      return 0;
    });
  }

  #find(ns: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let mixed = Math.imul(((ns % TWO_32) | 0) ^ Math.imul((ns / TWO_32) | 0, 0x27d4eb2f), 0x9e3779b1);
    mixed ^= mixed >>> 15;
    let at = mixed & mask;
    while (keys[at] !== ns && keys[at]! >= 0) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const keys = this.#keys;
    const weights = this.#weights;
    this.#keys = new Float64Array(keys.length * 2).fill(-1);
    this.#weights = new Float64Array(keys.length * 2);
    for (let i = 0; i < keys.length; i++) {
      const ns = keys[i]!;
      if (ns < 0) continue;
      const at = this.#find(ns);
      this.#keys[at] = ns;
      this.#weights[at] = weights[i]!;
    }
  }
}
