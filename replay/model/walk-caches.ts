import type { CacheCounts } from '../results.ts';
import { ENTRY_KIND } from './cache-entries.ts';
import type { EntryMatch } from './entry-match.ts';
import { alignHigh, alignLow } from './iotlb.ts';
import { MissCauses } from './miss-causes.ts';
import { SetAssociativeIotlb, fullyAssociative } from './set-associative-iotlb.ts';

/** The cache of one level. */
interface WalkCache {
  readonly order: number;
  readonly pointers: SetAssociativeIotlb;
  readonly causes: MissCauses;
  lookups: number;
  hits: number;
}

/**
 * Paging-structure caches: for each upper level a small fully associative cache of pointers to the next lower table (VT-d spec
 * 6.2.5). A walk starts below the deepest pointer that is cached; it asks the levels from there up, and counts each as a lookup.
 */
export class WalkCaches {
  /** By level from 1 on: pointers to tables of level - 1; undefined where the profile has none. */
  readonly #caches: (WalkCache | undefined)[] = [undefined];
  /** True for hardware without any: a walk reads one entry per level. */
  readonly none: boolean;

  /**
   * `entries[i]` is the capacity of the cache of level i + 1; 0: no such cache. `orderOf` gives what an entry of a level covers
   * (log2 of 4 KiB pages); `kind` holds that of the command at work.
   */
  constructor(levels: number, entries: readonly number[], orderOf: (level: number) => number, kind: Int32Array) {
    this.none = entries.every((count) => count === 0);
    for (let level = 1; level < levels; level++) {
      const ways = entries[level - 1] ?? 0;
      if (ways === 0) {
        this.#caches.push(undefined);
        continue;
      }
      const dropped = (slot: number, why: number): void => causes.dropped(slot, why, kind[0]!);
      const pointers = new SetAssociativeIotlb(fullyAssociative(ways), dropped);
      const causes = new MissCauses(pointers.entries, undefined);
      this.#caches.push({ order: orderOf(level), pointers, causes, lookups: 0, hits: 0 });
    }
  }

  /** Entries that a walk of `levels` levels to a leaf of `leafLevel` reads; the pointers that it passes are cached. */
  walk(
    tag: number,
    domain: number,
    pasid: number,
    leafLevel: number,
    pageLo: number,
    pageHi: number,
    levels: number,
    kind: number = ENTRY_KIND.plain,
  ): number {
    let start = leafLevel + 1;
    for (; start < levels; start++) {
      const cache = this.#caches[start];
      if (cache === undefined) continue;
      const { order, pointers } = cache;
      cache.lookups++;
      const slot = pointers.entries.find(tag, order, alignLow(pageLo, order), alignHigh(pageHi, order));
      if (slot >= 0) {
        cache.hits++;
        pointers.touch(slot);
        break;
      }
    }
    for (let level = leafLevel + 1; level < start; level++) {
      const cache = this.#caches[level];
      if (cache === undefined) continue;
      const { order, pointers, causes } = cache;
      const record = causes.missed(tag, order, alignLow(pageLo, order), alignHigh(pageHi, order));
      const slot = pointers.insert(tag, domain, pasid, order, pageLo, pageHi, 0, 0);
      causes.filled(slot, record);
      if (kind !== ENTRY_KIND.plain) pointers.entries.setKind(slot, kind);
    }
    return start - leafLevel;
  }

  dropAll(why: number): number {
    let dropped = 0;
    for (const cache of this.#caches) if (cache !== undefined) dropped += cache.pointers.dropAll(why);
    return dropped;
  }

  dropMatching(match: EntryMatch, why: number): number {
    let dropped = 0;
    for (const cache of this.#caches) if (cache !== undefined) dropped += cache.pointers.dropMatching(match, why);
    return dropped;
  }

  dropPages(match: EntryMatch, pageLo: number, pageHi: number, order: number, why: number): number {
    if (this.none) return 0;
    let dropped = 0;
    for (const cache of this.#caches) {
      if (cache !== undefined) dropped += cache.pointers.dropPages(match, pageLo, pageHi, order, why);
    }
    return dropped;
  }

  /** Counts by level, named `walk.l1` and so on. */
  report(names: (kind: number) => string): { readonly [name: string]: CacheCounts } {
    const report: { [name: string]: CacheCounts } = {};
    this.#caches.forEach((cache, level) => {
      if (cache !== undefined) report[`walk.l${level}`] = cache.causes.report(cache.lookups, cache.hits, names);
    });
    return report;
  }
}
