import { floorLog2, indexOf, trailingZeros } from './page-bits.ts';
import { splitLeaf } from './leaf-sizes.ts';
import { writeLeaves } from './leaf-writer.ts';
import type { PageTableFormat } from './page-table-format.ts';
import { mappedUnder, releaseTable } from './table-tree.ts';
import type { LeafSize } from './table-geometry.ts';
import { FRAME_WORDS } from './table-pool.ts';
import { TableReader } from './table-reader.ts';
import type { TablePool } from './table-pool.ts';

const TWO_32 = 2 ** 32;

/**
 * Bits of what `map` and `unmap` saw; the machine's `MAP_RESULT` and `UNMAP_RESULT` are made of them. `grown`: the root was
 * replaced by a higher one (AMD v1), so the device table must be rewritten. `unaligned`: not a multiple of the granule.
 */
export const TABLE_EVENT = {
  freedTable: 1,
  missing: 2,
  split: 4,
  overlap: 8,
  outside: 16,
  unaligned: 32,
  grown: 64,
} as const;

export interface PageTablesOptions {
  /**
   * As Linux does it, for tables whose every change is known: a map over a mapping is refused as a whole (EADDRINUSE,
   * EEXIST) and an unmap stops at a hole. Otherwise, for recordings that lack events, the mapping is replaced and the hole
   * passed over.
   */
  readonly strict?: boolean;
}

/**
 * The page table of one domain: map, unmap and translate over one format, with the sizes and rules of Linux
 * (drivers/iommu/generic_pt/iommu_pt.h, drivers/iommu/io-pgtable-arm.c). A mapping takes the largest leaf that both addresses
 * and the rest allow; an unmap that covers all that a table maps frees the table; one that starts inside a leaf stops there;
 * one that ends inside a leaf takes the whole leaf (generic) or stops (LPAE).
 */
export class PageTables extends TableReader {
  /** Pages mapped now. */
  pages = 0;
  /** Pages that the newest `unmap` removed: more than asked for where it ended inside a leaf. */
  removed = 0;
  readonly #strict: boolean;
  readonly #lpae: boolean;
  #events = 0;

  constructor(pool: TablePool, format: PageTableFormat, options: PageTablesOptions = {}) {
    super(pool, format);
    this.#strict = options.strict ?? false;
    this.#lpae = format.rules === 'lpae';
  }

  /**
   * Maps `count` pages from `page` to `out`. Returns `TABLE_EVENT` bits: `overlap` where pages were mapped (and were replaced,
   * unless strict), `freedTable` where a lower table gave way to a leaf, `outside` where the range exceeds the format's
   * addresses: what is inside is mapped, but nothing if strict or if the output address has too many bits.
   */
  map(page: number, out: number, count: number, prot: number): number {
    if (count === 1 && this.#mapPage(page, out, prot)) return 0;
    const { format } = this;
    const { sizes, largest } = format.geometry;
    const granule = this.granule;
    if (granule > 1 && (page % granule !== 0 || out % granule !== 0 || count % granule !== 0)) {
      return TABLE_EVENT.unaligned;
    }
    if (!(out >= 0 && out + count <= this.outputs)) return TABLE_EVENT.outside;
    let left = Math.min(count, this.room(page));
    this.#events = left < count ? TABLE_EVENT.outside : 0;
    if (left < count && this.#strict) return this.#events;
    if (left > 0 && !(Number.isInteger(page) && Number.isInteger(out) && Number.isInteger(left))) {
      return TABLE_EVENT.unaligned;
    }
    let at = page;
    let to = out;
    while (left > 0) {
      const rank = largest[Math.min(trailingZeros(at, to), floorLog2(left))]!;
      const size = sizes[rank]!;
      let run = Math.floor(left / size.pages);
      const next = sizes[rank + 1];
      // a larger leaf starts where both addresses come to its alignment
      if (next !== undefined && (at - to) % next.pages === 0) {
        const before = next.pages - (at % next.pages);
        if (left >= before + next.pages) run = Math.min(run, before / size.pages);
      }
      this.#growFor(at, size.level);
      const table = this.#descend(at, size.level);
      const done = table < 0 ? 0 : this.#fill(table, at, run, size, to, prot);
      at += done * size.pages;
      to += done * size.pages;
      left -= done * size.pages;
      if (done === 0) {
        this.#events |= TABLE_EVENT.overlap;
        if (this.#strict) return this.#undo(page, at - page);
        splitLeaf(this, at);
      }
    }
    return this.#events;
  }

  /** Returns `TABLE_EVENT` bits; `removed` has the pages that went. */
  unmap(page: number, count: number): number {
    this.removed = 0;
    const granule = this.granule;
    if (granule > 1 && (page % granule !== 0 || count % granule !== 0)) return TABLE_EVENT.unaligned;
    const room = this.room(page);
    const reach = Math.min(room, this.reach - page);
    let events = (count > reach ? TABLE_EVENT.missing : 0) | (count > room ? TABLE_EVENT.outside : 0);
    if (count > room && this.#strict) return events;
    const { words, used } = this.pool;
    const { geometry, group } = this.format;
    const end = page + Math.min(count, reach);
    let at = page;
    while (at < end) {
      const pageLo = at | 0;
      const pageHi = (at / TWO_32) | 0;
      let table = this.root;
      let level = this.levels - 1;
      let shift = this.rootShift;
      let mask = this.rootMask;
      let index = indexOf(pageLo, pageHi, shift, mask);
      // down to the table where something goes, or is missing
      for (;;) {
        const slot = table * FRAME_WORDS + index * 2;
        const entry = words[slot]!;
        if ((entry & this.presentMask) === 0 || this.isLeaf(entry, level)) break;
        const span = geometry.spans[level]!;
        if (at % span === 0 && end - at >= span && this.#freesUnder(level, entry)) break;
        table = this.tableIn(entry);
        level--;
        shift -= this.indexBits;
        mask = this.indexMask;
        index = indexOf(pageLo, pageHi, shift, mask);
      }
      // and along it
      const span = geometry.spans[level]!;
      let from = at - (at % span);
      while (index <= mask && at < end) {
        const slot = table * FRAME_WORDS + index * 2;
        const entry = words[slot]!;
        let entries = 1;
        if ((entry & this.presentMask) === 0) {
          events |= TABLE_EVENT.missing;
          if (this.#strict) return this.#unmapped(events);
        } else if (this.isLeaf(entry, level)) {
          if (group !== undefined) entries = 1 << group.order(entry, words[slot + 1]!, level);
          const pages = span * entries;
          if (at % pages !== 0 || (this.#lpae && end - at < pages)) return this.#unmapped(events | TABLE_EVENT.split);
          words.fill(0, slot, slot + entries * 2);
          used[table]! -= entries;
          this.removed += pages;
        } else {
          if (at !== from || end - at < span || !this.#freesUnder(level, entry)) break;
          const present = releaseTable(this, this.tableIn(entry), level - 1);
          if (present < span) {
            events |= TABLE_EVENT.missing;
          }
          events |= TABLE_EVENT.freedTable;
          words[slot] = 0;
          words[slot + 1] = 0;
          used[table]!--;
          this.removed += present;
        }
        index += entries;
        from += span * entries;
        at = from;
      }
    }
    return this.#unmapped(events);
  }

  /** Gives all tables back to the pool. The object must not be used after it. */
  destroy(): void {
    releaseTable(this, this.root, this.levels - 1);
    this.pages = 0;
  }

  /** Makes an entry of `level` point to a table. */
  pointTo(slot: number, level: number, table: number): void {
    const { words, basePage } = this.pool;
    words[slot] = ((table + basePage) << this.pointerShift) | this.format.tableLow[level]!;
    words[slot + 1] = this.format.tableHigh;
  }

  /** Puts tables over the root until it reaches a page and can point to a table of `level` or hold its leaf. */
  #growFor(page: number, level: number): void {
    const { format, pool } = this;
    while (this.levels < format.maxLevels && (level >= this.levels || page >= this.reach)) {
      const root = pool.allocate(format.geometry.rootFrames(this.levels + 1));
      this.pointTo(root * FRAME_WORDS, this.levels, this.root);
      pool.used[root] = 1;
      this.root = root;
      this.levels++;
      this.setRoot();
      this.#events |= TABLE_EVENT.grown;
    }
  }

  /** One page into an empty entry of a table that is there or can be made; false for all other cases. */
  #mapPage(page: number, out: number, prot: number): boolean {
    if (this.granule !== 1 || !(page >= 0 && page < this.half && page < this.reach)) return false;
    if (!(out >= 0 && out < this.outputs)) return false;
    const table = this.#descend(page, 0);
    if (table < 0) return false;
    const { words, used } = this.pool;
    const slot = table * FRAME_WORDS + (page & this.indexMask) * 2;
    if ((words[slot]! & this.presentMask) !== 0) return false;
    const { format } = this;
    const access = (prot & 3) as 0 | 1 | 2 | 3;
    writeLeaves(
      words,
      format,
      slot,
      1,
      format.geometry.sizes[0]!,
      out,
      format.leafLow[access],
      format.leafHigh[access],
    );
    used[table]!++;
    this.pages++;
    return true;
  }

  /** Table of `level` above `page`, made where missing; -1 where a larger leaf is in the way. */
  #descend(page: number, level: number): number {
    const pageLo = page | 0;
    const pageHi = (page / TWO_32) | 0;
    let { words } = this.pool;
    let table = this.root;
    let shift = this.rootShift;
    let mask = this.rootMask;
    for (let l = this.levels - 1; l > level; l--) {
      const slot = table * FRAME_WORDS + indexOf(pageLo, pageHi, shift, mask) * 2;
      const entry = words[slot]!;
      if ((entry & this.presentMask) === 0) {
        const made = this.pool.allocate(this.format.geometry.tableFrames);
        words = this.pool.words;
        this.pointTo(slot, l, made);
        this.pool.used[table]!++;
        table = made;
      } else if (this.isLeaf(entry, l)) return -1;
      else table = this.tableIn(entry);
      shift -= this.indexBits;
      mask = this.indexMask;
    }
    return table;
  }

  /**
   * Leaves of one size into a table from the entry of `page` on: as many as fit it, up to the first place that a larger
   * leaf or, if strict, any mapping holds. Returns how many.
   */
  #fill(table: number, page: number, leaves: number, size: LeafSize, out: number, prot: number): number {
    const { words, used } = this.pool;
    const { format } = this;
    const entries = 1 << size.order;
    const index = this.indexAt(page, size.level);
    const last = this.maskOf(size.level) + 1 - entries;
    const first = table * FRAME_WORDS + index * 2;
    let done = 0;
    for (let i = index; done < leaves && i <= last; i += entries) {
      let slot = table * FRAME_WORDS + i * 2;
      const end = slot + entries * 2;
      while (slot < end && ((words[slot]! & this.presentMask) === 0 || this.#vacate(table, slot, size))) slot += 2;
      if (slot < end) break;
      used[table]! += entries;
      done++;
    }
    const access = (prot & 3) as 0 | 1 | 2 | 3;
    writeLeaves(words, format, first, done, size, out, format.leafLow[access], format.leafHigh[access]);
    this.pages += done * size.pages;
    return done;
  }

  /** Takes away what a present entry maps, for a leaf of `size` in its place; false if it must stay. */
  #vacate(table: number, slot: number, size: LeafSize): boolean {
    const { words, used } = this.pool;
    const low = words[slot]!;
    const high = words[slot + 1]!;
    const { group, geometry } = this.format;
    if (this.isLeaf(low, size.level)) {
      if (this.#strict || (group !== undefined && group.order(low, high, size.level) > size.order)) return false;
      this.#events |= TABLE_EVENT.overlap;
      this.pages -= geometry.spans[size.level]!;
    } else {
      const lower = this.tableIn(low);
      if (this.#strict && !this.#lpae && mappedUnder(this, lower, size.level - 1) > 0) return false;
      const present = releaseTable(this, lower, size.level - 1);
      this.#events |= present === 0 ? TABLE_EVENT.freedTable : TABLE_EVENT.overlap;
      this.pages -= present;
    }
    words[slot] = 0;
    words[slot + 1] = 0;
    used[table]!--;
    return true;
  }

  /** A refused map takes back what it wrote. */
  #undo(page: number, count: number): number {
    const events = this.#events;
    if (count > 0) this.unmap(page, count);
    this.removed = 0;
    return events;
  }

  #unmapped(events: number): number {
    this.pages -= this.removed;
    return events;
  }

  /**
   * Whether an unmap of all under an entry of `level` frees its table. LPAE looks for leaves of the entry's own size only; the
   * generic code comes across holes first.
   */
  #freesUnder(level: number, low: number): boolean {
    if (this.#lpae) return (this.format.leafOrders[level]! & 1) !== 0;
    return !this.#strict || mappedUnder(this, this.tableIn(low), level - 1) === this.format.geometry.spans[level];
  }
}
