import { alignHigh, alignLow } from './iotlb.ts';
import { SetAssociativeIotlb } from './set-associative-iotlb.ts';

/**
 * Paging-structure caches: for each upper level a small fully associative cache of pointers to the next lower table (VT-d spec
 * 6.2.5). A walk starts below the deepest pointer that is cached.
 */
export class WalkCaches {
  readonly #levels: number;
  /** By level 1 to 4: pointers to tables of level - 1; undefined where the profile has none. */
  readonly #caches: (SetAssociativeIotlb | undefined)[];
  /** True for hardware without any: a walk reads one entry per level. */
  readonly none: boolean;

  /** `entries[i]` is the capacity of the cache of level i + 1: pointers that cover 2 MiB, 1 GiB, 512 GiB. 0: no such cache. */
  constructor(levels: number, entries: readonly number[]) {
    this.#levels = levels;
    this.#caches = [undefined];
    this.none = entries.every((count) => count === 0);
    for (let level = 1; level < levels; level++) {
      const ways = entries[level - 1] ?? 0;
      const geometry = { sets: 1, ways, hashed: false, refillInvalidFirst: true };
      this.#caches[level] = ways > 0 ? new SetAssociativeIotlb(geometry, () => {}) : undefined;
    }
  }

  /** Entries that a walk to a leaf of `leafLevel` reads; the pointers that it passes are cached. */
  walk(tag: number, domain: number, pasid: number, leafLevel: number, pageLo: number, pageHi: number): number {
    let start = leafLevel + 1;
    for (; start < this.#levels; start++) {
      const cache = this.#caches[start];
      if (cache === undefined) continue;
      const slot = cache.entries.find(tag, start, alignLow(pageLo, 9 * start), alignHigh(pageHi, 9 * start));
      if (slot >= 0) {
        cache.touch(slot);
        break;
      }
    }
    for (let level = leafLevel + 1; level < start; level++) {
      this.#caches[level]?.insert(tag, domain, pasid, level, pageLo, pageHi, 0, 0);
    }
    return start - leafLevel;
  }

  dropAll(why: number): number {
    let dropped = 0;
    for (const cache of this.#caches) if (cache !== undefined) dropped += cache.dropAll(why);
    return dropped;
  }

  dropDomain(domain: number, pasid: number, why: number): number {
    let dropped = 0;
    for (const cache of this.#caches) if (cache !== undefined) dropped += cache.dropDomain(domain, pasid, why);
    return dropped;
  }

  dropPages(domain: number, pasid: number, pageLo: number, pageHi: number, order: number, why: number): number {
    if (this.none) return 0;
    let dropped = 0;
    for (const cache of this.#caches) {
      if (cache !== undefined) dropped += cache.dropPages(domain, pasid, pageLo, pageHi, order, why);
    }
    return dropped;
  }
}
