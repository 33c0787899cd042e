import type { PageTableFormat } from './page-table-format.ts';
import { TABLE_WORDS } from './table-pool.ts';
import type { TablePool } from './table-pool.ts';

/** 4 KiB pages under one entry, by level. */
const SPAN = [1, 0x200, 0x40000, 0x8000000, 0x1000000000] as const;

/** Bits of what `map` and `unmap` saw; the machine's `MAP_RESULT` and `UNMAP_RESULT` are made of them. */
export const TABLE_EVENT = { freedTable: 1, missing: 2, split: 4, overlap: 8, outside: 16 } as const;

/**
 * The page table of one domain: map, unmap and translate over one format, with the sizes and rules of Linux
 * (drivers/iommu/generic_pt/iommu_pt.h). A mapping takes the largest leaf that both addresses and the rest allow; an unmap
 * that covers all that a table maps frees the table; one that ends inside a leaf takes the whole leaf; one that starts inside
 * a leaf stops there.
 *
 * Pages are 4 KiB page numbers up to 2^52, exact in a double; a hot caller passes them as two int32 words to `translate`.
 */
export class PageTables {
  readonly #pool: TablePool;
  readonly #format: PageTableFormat;
  readonly #root: number;
  /** Pages mapped now. */
  pages = 0;
  /** Pages that the newest `unmap` removed: more than asked for where it ended inside a leaf. */
  removed = 0;
  /** What the newest `translate` found: output page as two int32 words (bits 43:12, 63:44) and the low bits of the leaf. */
  outLo = 0;
  outHi = 0;
  leafBits = 0;

  constructor(pool: TablePool, format: PageTableFormat) {
    this.#pool = pool;
    this.#format = format;
    this.#root = pool.allocate();
  }

  /**
   * Maps `count` pages from `page` to `out`. Returns `TABLE_EVENT` bits: `overlap` where pages were mapped and were replaced,
   * `freedTable` where an empty lower table gave way to a leaf, `outside` where the range exceeds the format's address width.
   */
  map(page: number, out: number, count: number, prot: number): number {
    const { levels, leafLevels } = this.#format;
    const limit = 512 ** levels;
    let events = 0;
    let at = page;
    let to = out;
    let left = count;
    if (at + left > limit) {
      events |= TABLE_EVENT.outside;
      left = Math.max(0, limit - at);
    }
    while (left > 0) {
      let level = 0;
      for (let l = Math.min(2, levels - 1); l > 0; l--) {
        const span = SPAN[l]!;
        if ((leafLevels >>> l) & 1 && left >= span && at % span === 0 && to % span === 0) {
          level = l;
          break;
        }
      }
      const span = SPAN[level]!;
      const table = this.#descend(at, level);
      if (table < 0) {
        // a larger leaf lies over this place: it is split by hand into what stays and what is replaced
        events |= TABLE_EVENT.overlap;
        this.#breakLeaf(at, level);
        continue;
      }
      const index = Math.floor(at / span) % 512;
      const run = Math.min(512 - index, Math.floor(left / span));
      events |= this.#fill(table, index, run, level, to, prot);
      at += run * span;
      to += run * span;
      left -= run * span;
    }
    return events;
  }

  /** Returns `TABLE_EVENT` bits; `removed` has the pages that went. */
  unmap(page: number, count: number): number {
    this.removed = 0;
    const limit = 512 ** this.#format.levels;
    const { presentMask, leafBit } = this.#format;
    let events = 0;
    let at = page;
    const end = Math.min(limit, page + count);
    if (page + count > limit) events |= TABLE_EVENT.missing;
    while (at < end) {
      let table = this.#root;
      let level = this.#format.levels - 1;
      for (;;) {
        const { words, used } = this.#pool;
        const span = SPAN[level]!;
        const slot = table * TABLE_WORDS + (Math.floor(at / span) % 512) * 2;
        const entry = words[slot]!;
        const start = at - (at % span);
        if ((entry & presentMask) === 0) {
          events |= TABLE_EVENT.missing;
          at = start + span;
          break;
        }
        const leaf = level === 0 || (entry & leafBit) !== 0;
        if (leaf) {
          if (at !== start) {
            this.pages -= this.removed;
            return events | TABLE_EVENT.split;
          }
          words[slot] = 0;
          words[slot + 1] = 0;
          used[table]!--;
          this.removed += span;
          at = start + span;
          break;
        }
        const lower = tableOf(entry, words[slot + 1]!);
        if (at === start && end - start >= span) {
          const present = this.#release(lower, level - 1);
          if (present < span) events |= TABLE_EVENT.missing;
          events |= TABLE_EVENT.freedTable;
          words[slot] = 0;
          words[slot + 1] = 0;
          used[table]!--;
          this.removed += present;
          at = start + span;
          break;
        }
        table = lower;
        level--;
      }
    }
    this.pages -= this.removed;
    return events;
  }

  /**
   * Level of the leaf that maps a page (given as int32 words, bits 31:0 and 51:32 of the page number), or -1. `outLo`, `outHi`
   * and `leafBits` tell what it maps to.
   */
  translate(pageLo: number, pageHi: number): number {
    const { words } = this.#pool;
    const { presentMask, leafBit, levels } = this.#format;
    // page numbers have 27, 36 or 45 bits
    if (levels === 3 ? pageHi !== 0 || pageLo >>> 27 !== 0 : pageHi >>> (levels === 4 ? 4 : 13) !== 0) return -1;
    let table = this.#root;
    for (let level = levels - 1; level >= 0; level--) {
      const slot = table * TABLE_WORDS + indexAt(pageLo, pageHi, level) * 2;
      const entry = words[slot]!;
      if ((entry & presentMask) === 0) return -1;
      const high = words[slot + 1]!;
      if (level === 0 || (entry & leafBit) !== 0) {
        const outLo = (entry >>> 12) | (high << 20);
        this.outHi = high >>> 12;
        this.outLo = level === 0 ? outLo : outLo | (pageLo & (SPAN[level]! - 1));
        this.leafBits = entry & 0xfff;
        return level;
      }
      table = tableOf(entry, high);
    }
    return -1;
  }

  /** Gives all tables back to the pool. The object must not be used after it. */
  destroy(): void {
    this.#release(this.#root, this.#format.levels - 1);
  }

  /** Table of `level` above `page`, made where missing; -1 where a larger leaf is in the way. */
  #descend(page: number, level: number): number {
    const { presentMask, leafBit, tableBits, levels } = this.#format;
    let table = this.#root;
    for (let l = levels - 1; l > level; l--) {
      const slot = table * TABLE_WORDS + (Math.floor(page / SPAN[l]!) % 512) * 2;
      const entry = this.#pool.words[slot]!;
      if ((entry & presentMask) === 0) {
        const made = this.#pool.allocate();
        const { words, used } = this.#pool;
        words[slot] = (made << 12) | tableBits;
        words[slot + 1] = made >>> 20;
        used[table]!++;
        table = made;
      } else if ((entry & leafBit) !== 0) return -1;
      else table = tableOf(entry, this.#pool.words[slot + 1]!);
    }
    return table;
  }

  #fill(table: number, index: number, run: number, level: number, out: number, prot: number): number {
    const { words, used } = this.#pool;
    const { presentMask, leafBit, leafBits } = this.#format;
    const span = SPAN[level]!;
    const bits = leafBits[(prot & 3) as 0 | 1 | 2 | 3] | (level > 0 ? leafBit : 0);
    let events = 0;
    let to = out;
    for (let i = index; i < index + run; i++, to += span) {
      const slot = table * TABLE_WORDS + i * 2;
      const entry = words[slot]!;
      if ((entry & presentMask) === 0) {
        used[table]!++;
        this.pages += span;
      } else if (level === 0 || (entry & leafBit) !== 0) events |= TABLE_EVENT.overlap;
      else {
        const present = this.#release(tableOf(entry, words[slot + 1]!), level - 1);
        events |= present === 0 ? TABLE_EVENT.freedTable : TABLE_EVENT.overlap;
        this.pages += span - present;
      }
      words[slot] = ((to % 0x100000) << 12) | bits;
      words[slot + 1] = Math.floor(to / 0x100000);
    }
    return events;
  }

  /** Replaces the leaf over `page` above `level` by a table of smaller leaves that maps the same. */
  #breakLeaf(page: number, level: number): void {
    const { presentMask, leafBit, tableBits, levels } = this.#format;
    let table = this.#root;
    for (let l = levels - 1; l > level; l--) {
      const slot = table * TABLE_WORDS + (Math.floor(page / SPAN[l]!) % 512) * 2;
      const entry = this.#pool.words[slot]!;
      const high = this.#pool.words[slot + 1]!;
      if ((entry & presentMask) !== 0 && (entry & leafBit) !== 0) {
        const made = this.#pool.allocate();
        const { words, used } = this.#pool;
        const span = SPAN[l - 1]!;
        const bits = (entry & 0xfff & ~leafBit) | (l - 1 > 0 ? leafBit : 0);
        let out = (high >>> 0) * 0x100000 + (entry >>> 12);
        for (let i = 0; i < 512; i++, out += span) {
          words[made * TABLE_WORDS + i * 2] = ((out % 0x100000) << 12) | bits;
          words[made * TABLE_WORDS + i * 2 + 1] = Math.floor(out / 0x100000);
        }
        used[made] = 512;
        words[slot] = (made << 12) | tableBits;
        words[slot + 1] = made >>> 20;
        table = made;
      } else table = tableOf(entry, high);
    }
  }

  /** Frees a table and all below it; returns the pages that they mapped. */
  #release(table: number, level: number): number {
    const { words, used } = this.#pool;
    const { presentMask, leafBit } = this.#format;
    const span = SPAN[level]!;
    let pages = 0;
    if (level === 0) pages = used[table]!;
    else if (used[table]! > 0) {
      for (let slot = table * TABLE_WORDS; slot < (table + 1) * TABLE_WORDS; slot += 2) {
        const entry = words[slot]!;
        if ((entry & presentMask) === 0) continue;
        if ((entry & leafBit) !== 0) pages += span;
        else pages += this.#release(tableOf(entry, words[slot + 1]!), level - 1);
      }
    }
    this.#pool.free(table);
    return pages;
  }
}

function tableOf(low: number, high: number): number {
  return (low >>> 12) | (high << 20);
}

/** Index into a table of `level` for a page given as two int32 words. */
function indexAt(pageLo: number, pageHi: number, level: number): number {
  if (level < 3) return (pageLo >>> (9 * level)) & 511;
  return level === 3 ? ((pageLo >>> 27) | (pageHi << 5)) & 511 : (pageHi >>> 4) & 511;
}
