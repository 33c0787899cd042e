import { floorLog2, indexOf, trailingZeros } from './page-bits.ts';
import { splitLeaf } from './leaf-sizes.ts';
import { writeLeaves } from './leaf-writer.ts';
import type { PageTableFormat } from './page-table-format.ts';
import { mappedUnder, releaseTable } from './table-tree.ts';
import type { LeafSize } from './table-geometry.ts';
import { FRAME_SHIFT, FRAME_WORDS } from './table-pool.ts';
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
 *
 * Pages are page numbers of the format's `pageShift`, up to 2^53, exact in a double; a hot caller passes them as two int32
 * words to `translate`.
 */
export class PageTables {
  readonly pool: TablePool;
  readonly format: PageTableFormat;
  /** First frame of the root table. */
  root: number;
  /** Tables from root to leaf, now. */
  levels: number;
  /** Pages mapped now. */
  pages = 0;
  /** Pages that the newest `unmap` removed: more than asked for where it ended inside a leaf. */
  removed = 0;
  /**
   * What the newest `translate` found: output page as two int32 words, address bits of the leaf, low bits of its entry
   * (those below the address) and the entry's high word.
   */
  outLo = 0;
  outHi = 0;
  leafShift = 0;
  leafBits = 0;
  leafHigh = 0;
  readonly #strict: boolean;
  readonly #lpae: boolean;
  readonly #presentMask: number;
  readonly #tableMask: number;
  readonly #tableKind: number;
  readonly #tableStep: number;
  readonly #kindMask: number;
  readonly #kindAdd: number;
  readonly #leafMask: number;
  readonly #leafKind: number;
  /** Levels up to this have their index in the low word of a page number. */
  readonly #lowLevel: number;
  readonly #indexBits: number;
  readonly #indexMask: number;
  readonly #pageShift: number;
  readonly #addressShift: number;
  readonly #addressHigh: number;
  readonly #pointerShift: number;
  readonly #basePage: number;
  readonly #lowMask: number;
  readonly #granule: number;
  /** Every leaf is one entry with its address in the usual place. */
  readonly #plain: boolean;
  #rootShift = 0;
  #rootMask = 0;
  /** Bits of a page number above the input address: all zero or, sign-extended, all equal. */
  #aboveLo = 0;
  #aboveHi = 0;
  /** Pages that the root reaches, and pages of a positive address. */
  #reach = 0;
  readonly #half: number;
  readonly #outputs: number;
  #events = 0;

  constructor(pool: TablePool, format: PageTableFormat, options: PageTablesOptions = {}) {
    const { geometry } = format;
    this.pool = pool;
    this.format = format;
    this.#strict = options.strict ?? false;
    this.#lpae = format.rules === 'lpae';
    this.#presentMask = format.presentMask;
    this.#tableMask = format.tableMask;
    this.#tableKind = format.tableKind;
    this.#tableStep = format.tableStep;
    this.#kindMask = format.kindMask;
    this.#kindAdd = format.kindAdd;
    this.#leafMask = format.leafMask;
    this.#leafKind = format.leafKind;
    this.#lowLevel = geometry.shifts.findLastIndex((shift) => shift + format.indexBits <= 32);
    this.#indexBits = format.indexBits;
    this.#indexMask = (1 << format.indexBits) - 1;
    this.#pageShift = format.pageShift;
    this.#addressShift = format.addressShift;
    this.#addressHigh = format.addressHigh;
    this.#pointerShift = format.addressShift + 12 - format.pageShift;
    this.#basePage = pool.basePage;
    this.#lowMask = ~(-1 << format.addressShift);
    this.#granule = geometry.spans[0]! | 0;
    this.#plain = format.group === undefined && !format.addressNibble && geometry.sizes.every((s) => s.pageBits < 32);
    this.#half = 2 ** (format.inputBits - format.pageShift - (format.signExtended ? 1 : 0));
    this.#outputs = 2 ** (format.outputBits - format.pageShift);
    this.levels = format.levels;
    this.root = pool.allocate(geometry.rootFrames(this.levels));
    this.#setRoot();
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
    const granule = this.#granule;
    if (granule > 1 && (page % granule !== 0 || out % granule !== 0 || count % granule !== 0)) {
      return TABLE_EVENT.unaligned;
    }
    if (!(out >= 0 && out + count <= this.#outputs)) return TABLE_EVENT.outside;
    let left = Math.min(count, this.#room(page));
    this.#events = left < count ? TABLE_EVENT.outside : 0;
    if (left < count && this.#strict) return this.#events;
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
    const granule = this.#granule;
    if (granule > 1 && (page % granule !== 0 || count % granule !== 0)) return TABLE_EVENT.unaligned;
    const room = this.#room(page);
    const reach = Math.min(room, this.#reach - page);
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
      let shift = this.#rootShift;
      let mask = this.#rootMask;
      let index = indexOf(pageLo, pageHi, shift, mask);
      // down to the table where something goes, or is missing
      for (;;) {
        const slot = table * FRAME_WORDS + index * 2;
        const entry = words[slot]!;
        if ((entry & this.#presentMask) === 0 || this.#isLeaf(entry, level)) break;
        const span = geometry.spans[level]!;
        if (at % span === 0 && end - at >= span && this.#freesUnder(level)) break;
        table = this.#tableIn(entry);
        level--;
        shift -= this.#indexBits;
        mask = this.#indexMask;
        index = indexOf(pageLo, pageHi, shift, mask);
      }
      // and along it
      const span = geometry.spans[level]!;
      let from = at - (at % span);
      while (index <= mask && at < end) {
        const slot = table * FRAME_WORDS + index * 2;
        const entry = words[slot]!;
        let entries = 1;
        if ((entry & this.#presentMask) === 0) {
          events |= TABLE_EVENT.missing;
          if (this.#strict) return this.#unmapped(events);
        } else if (this.#isLeaf(entry, level)) {
          if (group !== undefined) entries = 1 << group.order(entry, words[slot + 1]!, level);
          const pages = span * entries;
          if (at % pages !== 0 || (this.#lpae && end - at < pages)) return this.#unmapped(events | TABLE_EVENT.split);
          words.fill(0, slot, slot + entries * 2);
          used[table]! -= entries;
          this.removed += pages;
        } else {
          if (at !== from || end - at < span || !this.#freesUnder(level)) break;
          const present = releaseTable(this, this.#tableIn(entry), level - 1);
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

  /**
   * Level of the leaf that maps a page (given as int32 words of the page number), or -1. `outLo`, `outHi`, `leafShift`,
   * `leafBits` and `leafHigh` tell what it maps to.
   */
  translate(pageLo: number, pageHi: number): number {
    const aboveLo = pageLo & this.#aboveLo;
    const aboveHi = pageHi & this.#aboveHi;
    if ((aboveLo | aboveHi) !== 0 && !this.#canonical(aboveLo, aboveHi)) return -1;
    const { words } = this.pool;
    const tableMask = this.#tableMask;
    const tableStep = this.#tableStep;
    const pointerShift = this.#pointerShift;
    const basePage = this.#basePage;
    const indexBits = this.#indexBits;
    const indexMask = this.#indexMask;
    const lowLevel = this.#lowLevel;
    let level = this.levels - 1;
    let tableKind = this.#tableKind + level * tableStep;
    let shift = this.#rootShift;
    let slot = (this.root << FRAME_SHIFT) + (indexOf(pageLo, pageHi, shift, this.#rootMask) << 1);
    let entry = words[slot]!;
    // one comparison tells a usual table from all else; measured: 25% quicker than a test for presence and one for a leaf
    while (level > 0 && (entry & tableMask) === tableKind) {
      level--;
      shift -= indexBits;
      tableKind -= tableStep;
      const index = level > lowLevel ? indexOf(pageLo, pageHi, shift, indexMask) : (pageLo >>> shift) & indexMask;
      slot = (((entry >>> pointerShift) - basePage) << FRAME_SHIFT) + (index << 1);
      entry = words[slot]!;
    }
    if ((entry & this.#presentMask) === 0) return -1;
    while (level > 0 && !this.#isLeaf(entry, level)) {
      level--;
      shift -= indexBits;
      slot = (this.#tableIn(entry) << FRAME_SHIFT) + (indexOf(pageLo, pageHi, shift, indexMask) << 1);
      entry = words[slot]!;
      if ((entry & this.#presentMask) === 0) return -1;
    }
    const high = words[slot + 1]!;
    this.leafBits = entry & this.#lowMask;
    this.leafHigh = high;
    if (this.#plain) {
      const address = high & this.#addressHigh;
      const addressShift = this.#addressShift;
      this.outLo = (entry >>> addressShift) | (address << (32 - addressShift)) | (pageLo & ~(-1 << shift));
      this.outHi = address >>> addressShift;
      this.leafShift = shift + this.#pageShift;
    } else this.#leafOf(entry, high, level, shift, pageLo, pageHi);
    return level;
  }

  /** `ACCESS` bits that the leaf of the newest `translate` allows: 1 read, 2 write. */
  permission(): number {
    return this.format.permission(this.leafBits, this.leafHigh, true);
  }

  /** Gives all tables back to the pool. The object must not be used after it. */
  destroy(): void {
    releaseTable(this, this.root, this.levels - 1);
    this.pages = 0;
  }

  /** First frame of the table that an entry with this low word points to: the high word has no part of it. */
  tableIn(low: number): number {
    return this.#tableIn(low);
  }

  /** Makes an entry of `level` point to a table. */
  pointTo(slot: number, level: number, table: number): void {
    const { words, basePage } = this.pool;
    words[slot] = ((table + basePage) << this.#pointerShift) | this.format.tableLow[level]!;
    words[slot + 1] = this.format.tableHigh;
  }

  /** Index of the low word of the entry of `page` in a table of `level`. */
  slotOf(table: number, level: number, page: number): number {
    return table * FRAME_WORDS + this.#index(page, level) * 2;
  }

  #tableIn(low: number): number {
    return (low >>> this.#pointerShift) - this.#basePage;
  }

  #isLeaf(low: number, level: number): boolean {
    return level === 0 || (((low & this.#kindMask) + this.#kindAdd) & this.#leafMask) === this.#leafKind;
  }

  #index(page: number, level: number): number {
    return indexOf(page | 0, (page / TWO_32) | 0, this.format.geometry.shifts[level]!, this.maskOf(level));
  }

  /** Of sign-extended addresses: all of their upper bits are set. */
  #canonical(aboveLo: number, aboveHi: number): boolean {
    return this.format.signExtended && aboveLo === this.#aboveLo && aboveHi === this.#aboveHi;
  }

  /** Pages from `page` to the end of the addresses that the format has there; 0 for one outside. */
  #room(page: number): number {
    const { pageShift, signExtended } = this.format;
    const half = this.#half;
    if (!(page >= 0)) return 0;
    if (page < half) return half - page;
    const end = 2 ** (64 - pageShift);
    return signExtended && page >= end - half && page < end ? end - page : 0;
  }

  #setRoot(): void {
    const { geometry, pageShift, signExtended } = this.format;
    const top = this.levels - 1;
    this.#rootShift = geometry.shifts[top]!;
    const rootBits = geometry.rootBits(this.levels);
    this.#rootMask = (1 << rootBits) - 1;
    const bits = this.#rootShift + rootBits - (signExtended ? 1 : 0);
    this.#reach = signExtended ? Infinity : 2 ** bits;
    this.#aboveLo = bits < 32 ? -1 << bits : 0;
    this.#aboveHi = bits <= 32 ? -1 : bits >= 64 ? 0 : -1 << (bits - 32);
    if (signExtended) this.#aboveHi &= ~(-1 << (32 - pageShift));
  }

  /** Puts tables over the root until it reaches a page and can point to a table of `level` or hold its leaf. */
  #growFor(page: number, level: number): void {
    const { format, pool } = this;
    while (this.levels < format.maxLevels && (level >= this.levels || page >= this.#reach)) {
      const root = pool.allocate(format.geometry.rootFrames(this.levels + 1));
      this.pointTo(root * FRAME_WORDS, this.levels, this.root);
      pool.used[root] = 1;
      this.root = root;
      this.levels++;
      this.#setRoot();
      this.#events |= TABLE_EVENT.grown;
    }
  }

  /** One page into an empty entry of a table that is there or can be made; false for all other cases. */
  #mapPage(page: number, out: number, prot: number): boolean {
    if (this.#granule !== 1 || !(page >= 0 && page < this.#half && page < this.#reach)) return false;
    if (!(out >= 0 && out < this.#outputs)) return false;
    const table = this.#descend(page, 0);
    if (table < 0) return false;
    const { words, used } = this.pool;
    const slot = table * FRAME_WORDS + (page & this.#indexMask) * 2;
    if ((words[slot]! & this.#presentMask) !== 0) return false;
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
    let shift = this.#rootShift;
    let mask = this.#rootMask;
    for (let l = this.levels - 1; l > level; l--) {
      const slot = table * FRAME_WORDS + indexOf(pageLo, pageHi, shift, mask) * 2;
      const entry = words[slot]!;
      if ((entry & this.#presentMask) === 0) {
        const made = this.pool.allocate(this.format.geometry.tableFrames);
        words = this.pool.words;
        this.pointTo(slot, l, made);
        this.pool.used[table]!++;
        table = made;
      } else if (this.#isLeaf(entry, l)) return -1;
      else table = this.#tableIn(entry);
      shift -= this.#indexBits;
      mask = this.#indexMask;
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
    const index = this.#index(page, size.level);
    const last = this.maskOf(size.level) + 1 - entries;
    const first = table * FRAME_WORDS + index * 2;
    let done = 0;
    for (let i = index; done < leaves && i <= last; i += entries) {
      let slot = table * FRAME_WORDS + i * 2;
      const end = slot + entries * 2;
      while (slot < end && ((words[slot]! & this.#presentMask) === 0 || this.#vacate(table, slot, size))) slot += 2;
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
    if (this.#isLeaf(low, size.level)) {
      if (this.#strict || (group !== undefined && group.order(low, high, size.level) > size.order)) return false;
      this.#events |= TABLE_EVENT.overlap;
      this.pages -= geometry.spans[size.level]!;
    } else {
      const lower = this.#tableIn(low);
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

  /** Whether an unmap of all under an entry of `level` frees the table: LPAE looks for leaves of the entry's own size only. */
  #freesUnder(level: number): boolean {
    return !this.#lpae || (this.format.leafOrders[level]! & 1) !== 0;
  }

  /** Highest index of a table of `level`. */
  maskOf(level: number): number {
    return level === this.levels - 1 ? this.#rootMask : this.#indexMask;
  }

  #leafOf(low: number, high: number, level: number, shift: number, pageLo: number, pageHi: number): void {
    const { group, addressNibble } = this.format;
    const addressShift = this.#addressShift;
    const bits = shift + (group === undefined ? 0 : group.order(low, high, level));
    let addressLo = low;
    let addressHi = high & this.#addressHigh;
    if (addressNibble) {
      addressHi |= (low & 0xf000) << 4;
      addressLo &= ~0xf000;
    }
    const insideLo = bits < 32 ? ~(-1 << bits) : -1;
    const insideHi = bits <= 32 ? 0 : ~(-1 << (bits - 32));
    const outLo = (addressLo >>> addressShift) | (addressHi << (32 - addressShift));
    this.outLo = (outLo & ~insideLo) | (pageLo & insideLo);
    this.outHi = ((addressHi >>> addressShift) & ~insideHi) | (pageHi & insideHi);
    this.leafShift = bits + this.#pageShift;
  }
}
