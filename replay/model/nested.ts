import type { Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { CacheCounts } from '../results.ts';
import { ENTRY_KIND } from './cache-entries.ts';
import type { EntryMatch } from './entry-match.ts';
import type { ExposureTotals } from './exposure.ts';
import type { Invalidatable } from './hardware-caches.ts';
import { alignHigh, alignLow } from './iotlb.ts';
import type { PageTables } from './page-tables.ts';
import { fullyAssociative } from './set-associative-iotlb.ts';
import { TableWalk, WALK } from './table-walk.ts';
import { TrackedCache } from './tracked-cache.ts';
import type { CacheWatch } from './tracked-cache.ts';
import type { WalkCaches } from './walk-caches.ts';

const TWO_32 = 2 ** 32;

/**
 * Walks of two stages: the tables of the first are read through the second, and so is its output. Of n levels over m, cold:
 * (n + 1)(m + 1) - 1 reads. A first-stage pointer that is cached holds its final address, so that its table takes no
 * second-stage walk. Second-stage translations may have a cache of their own beside the IOTLB's combined ones. Where a
 * guest's tables lie is not in a trace: each is taken to be a 4 KiB page of its own.
 */
export class Nested implements Invalidatable {
  /** Second-stage domain of each first-stage one. */
  readonly parents: Map<number, number> = new Map();
  readonly #cache: TrackedCache | undefined;
  readonly #walkCaches: WalkCaches;
  readonly #walks = new Map<PageTables, TableWalk>();
  /** Entries read by the newest walk. */
  reads = 0;
  /** Output of the newest walk: page, order of the smaller leaf, permission of both stages, and the guest-physical page. */
  outLo = 0;
  outHi = 0;
  order = 0;
  permission = 0;
  guestLo = 0;
  guestHi = 0;
  #outLo = 0;
  #outHi = 0;
  #order = 0;

  /** `entries`: of the cache of second-stage translations; 0: none. */
  constructor(watch: CacheWatch, totals: ExposureTotals, walkCaches: WalkCaches, entries: number) {
    this.#walkCaches = walkCaches;
    this.#cache = entries > 0 ? new TrackedCache('stage2', watch, totals, fullyAssociative(entries)) : undefined;
  }

  /**
   * Translates a page; true if both stages map it. `tag` and `owner` are those of the first stage, `guestTag` and
   * `guestDomain` those that second-stage translations are cached by.
   */
  walk(
    stage1: PageTables,
    stage2: PageTables,
    tag: number,
    owner: number,
    pasid: number,
    guestTag: number,
    guestDomain: number,
    pageLo: number,
    pageHi: number,
  ): boolean {
    let walk = this.#walks.get(stage1);
    if (walk === undefined) {
      walk = new TableWalk(stage1);
      this.#walks.set(stage1, walk);
    }
    const ended = walk.read(pageLo, pageHi, 0);
    const { levels } = stage1;
    const own = this.#walkCaches.walk(tag, owner, pasid, walk.level, pageLo, pageHi, levels, ENTRY_KIND.combined);
    this.reads = own;
    const start = walk.level + own - 1;
    for (let level = start; level >= walk.level; level--) {
      if (level === start && start < levels - 1) continue;
      this.#second(stage2, guestTag, guestDomain, walk.frame(level) + stage1.pool.basePage, 0);
    }
    if (ended !== WALK.mapped) return false;
    this.guestLo = stage1.outLo;
    this.guestHi = stage1.outHi;
    const order = stage1.leafShift - 12;
    if (!this.#second(stage2, guestTag, guestDomain, this.guestLo, this.guestHi)) return false;
    this.outLo = this.#outLo;
    this.outHi = this.#outHi;
    this.order = Math.min(order, this.#order);
    this.permission = walk.permission & stage2.permission();
    return true;
  }

  /** The page that both stages give now, without caches: true if they do, in `outLo` and `outHi`. */
  translate(stage1: PageTables, stage2: PageTables, pageLo: number, pageHi: number): boolean {
    if (stage1.translate(pageLo, pageHi) < 0 || stage2.translate(stage1.outLo, stage1.outHi) < 0) return false;
    this.outLo = stage2.outLo;
    this.outHi = stage2.outHi;
    return true;
  }

  /** Order of the smaller of the two leafs that translate a page now; -1 where one stage does not. */
  orderOf(stage1: PageTables, stage2: PageTables, pageLo: number, pageHi: number): number {
    if (stage1.translate(pageLo, pageHi) < 0) return -1;
    const order = stage1.leafShift - 12;
    return stage2.translate(stage1.outLo, stage1.outHi) < 0 ? -1 : Math.min(order, stage2.leafShift - 12);
  }

  dropAll(why: number): number {
    return this.#cache === undefined ? 0 : this.#cache.dropAll(why);
  }

  dropMatching(match: EntryMatch, why: number): number {
    return this.#cache === undefined ? 0 : this.#cache.dropMatching(match, why);
  }

  dropPages(match: EntryMatch, pageLo: number, pageHi: number, order: number, why: number): number {
    return this.#cache === undefined ? 0 : this.#cache.dropPages(match, pageLo, pageHi, order, why);
  }

  report(names: (kind: number) => string): { readonly stage2?: CacheCounts } {
    return this.#cache === undefined || this.#cache.lookups === 0 ? {} : { stage2: this.#cache.report(names) };
  }

  /** One guest-physical page through the second stage: true if it is mapped. What is not is taken for a page where it is. */
  #second(stage2: PageTables, tag: number, domain: number, pageLo: number, pageHi: number): boolean {
    const cache = this.#cache;
    const level = stage2.translate(pageLo, pageHi);
    this.#order = level < 0 ? 0 : stage2.leafShift - 12;
    this.#outLo = stage2.outLo;
    this.#outHi = stage2.outHi;
    if (cache !== undefined && cache.lookup(tag, pageLo, pageHi) >= 0) return level >= 0;
    this.reads += this.#walkCaches.walk(
      tag,
      domain,
      -1,
      Math.max(0, level),
      pageLo,
      pageHi,
      stage2.levels,
      ENTRY_KIND.stage2,
    );
    if (cache !== undefined) {
      const order = this.#order;
      const slot = cache.fill(tag, domain, -1, order, alignLow(pageLo, order), alignHigh(pageHi, order), 0, 0);
      cache.entries.setKind(slot, ENTRY_KIND.stage2);
    }
    return level >= 0;
  }
}

/** Guest-physical pages of combined IOTLB entries, by slot: what an unmap in the second stage makes stale. */
export class GuestPages {
  readonly #lo: Int32Array;
  readonly #hi: Int32Array;

  constructor(slots: number) {
    this.#lo = new Int32Array(slots);
    this.#hi = new Int32Array(slots);
  }

  set(slot: number, guestLo: number, guestHi: number): void {
    this.#lo[slot] = guestLo;
    this.#hi[slot] = guestHi;
  }

  /** Pages of a second-stage domain were unmapped: combined entries of its first stages that lead there are exposed. */
  unmapped(
    cache: TrackedCache,
    parents: ReadonlyMap<number, number>,
    parent: number,
    page: PageNumber,
    count: number,
    time: Nanoseconds,
    event: number,
  ): void {
    const { entries } = cache;
    for (let slot = 0; slot < entries.capacity; slot++) {
      if (entries.live[slot] === 0 || entries.kindOf(slot) !== ENTRY_KIND.combined) continue;
      if (parents.get(entries.domainOf(slot)) !== parent) continue;
      const start = (this.#hi[slot]! >>> 0) * TWO_32 + (this.#lo[slot]! >>> 0);
      const from = Math.max(page, start);
      const to = Math.min(page + count, start + 2 ** entries.orderOf(slot));
      if (from < to) cache.staleness.suspect(slot, from - start, to - from, time, event);
    }
  }
}
