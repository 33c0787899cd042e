import type { IotlbCounts } from '../results.ts';

/** Lookups of one device, domain, or all, by what became of them at each of a list of sizes. */
export class CurveTally {
  lookups = 0;
  compulsory = 0;
  /** By index of the smallest size that has the entry, or had when a command dropped it; the last index: none. */
  readonly #found: Float64Array;
  readonly #dropped: Float64Array;

  constructor(sizes: number) {
    this.#found = new Float64Array(sizes + 1);
    this.#dropped = new Float64Array(sizes + 1);
  }

  /** As `LookupListener`; `reach`: by depth (`reachOf`). */
  add(depth: number, dropped: number, reach: Uint8Array): void {
    this.lookups++;
    if (depth > 0) this.#found[reach[depth]!]!++;
    else if (dropped === 0) this.compulsory++;
    else if (dropped > 0) this.#dropped[reach[dropped]!]!++;
  }

  /** Counts of the size with that index. */
  at(size: number): IotlbCounts {
    let hits = 0;
    let invalidation = 0;
    for (let i = 0; i <= size; i++) {
      hits += this.#found[i]!;
      invalidation += this.#dropped[i]!;
    }
    const misses = this.lookups - hits;
    const capacity = misses - this.compulsory - invalidation;
    return {
      lookups: this.lookups,
      hits,
      misses,
      causes: { compulsory: this.compulsory, capacity, conflict: 0, invalidation },
    };
  }
}
