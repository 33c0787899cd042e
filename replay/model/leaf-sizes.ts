import { writeLeaves } from './leaf-writer.ts';
import type { PageTables } from './page-tables.ts';
import { groupOrder, isDirty, isLeaf, pageIn, withDirty, withoutDirty } from './table-entry.ts';
import type { LeafSize } from './table-geometry.ts';
import { FRAME_WORDS } from './table-pool.ts';

/**
 * The leaf that maps `page` becomes leaves of `leafShift` address bits, or of the format's next smaller size. They map the
 * same, and what the leaf's accessed and dirty state was, is that of each. Returns how many leaves there are now in place of
 * one; 0 where the page isn't mapped or its leaf isn't larger. Cached translations stay valid but are of the old size; the
 * entry that now points to a table asks for an invalidation of them (Arm: break before make).
 */
export function splitLeaf(tables: PageTables, page: number, leafShift = 0): number {
  const { format, pool } = tables;
  const { geometry } = format;
  const place = placeOf(tables, page);
  if (place === undefined) return 0;
  const { table, level, order } = place;
  const { words } = pool;
  const rank = geometry.sizes.findIndex((size) => size.level === level && size.order === order);
  const size = leafShift === 0 ? geometry.sizes[rank - 1] : geometry.sizeOf(leafShift);
  const whole = geometry.sizes[rank];
  if (size === undefined || whole === undefined || size.pages >= whole.pages) return 0;
  const start = page - (page % whole.pages);
  const slot = tables.slotOf(table, level, start);
  const state = stateOf(tables, slot, 2 ** order);
  const out = leafPage(tables, slot, level, order);
  const filled = new Filling(tables, size, state.low, state.high);
  if (size.level === level) filled.leaves(words, slot, 2 ** (order - size.order), out);
  else for (let i = 0; i < 2 ** order; i++) filled.table(slot + i * 2, level, out + i * geometry.spans[level]!);
  return whole.pages / size.pages;
}

/**
 * The aligned block of `leafShift` address bits around `page` becomes one leaf again, if smaller leaves map all of it
 * contiguously with the same permissions and attributes; the leaf is accessed or dirty if any of them was. Returns true if
 * it did. Tables under it are freed.
 */
export function mergeLeaves(tables: PageTables, page: number, leafShift: number): boolean {
  const { format, pool } = tables;
  const size = format.geometry.sizeOf(leafShift);
  if (size === undefined || size.level >= tables.levels) return false;
  const start = page - (page % size.pages);
  if (!tables.reaches(start | 0, (start / 2 ** 32) | 0)) return false;
  const table = tableOver(tables, start, size.level);
  if (table < 0) return false;
  const slot = tables.slotOf(table, size.level, start);
  const block = new Block(tables);
  if (!block.add(slot, size.level, 2 ** size.order, size)) return false;
  block.free(slot, size.level, 2 ** size.order);
  writeLeaves(pool.words, format, slot, 1, size, block.out, block.low, block.high);
  return true;
}

interface Place {
  readonly table: number;
  readonly level: number;
  readonly order: number;
}

/** Table, level and group order of the leaf that maps a page. */
function placeOf(tables: PageTables, page: number): Place | undefined {
  const level = tables.translate(page | 0, (page / 2 ** 32) | 0);
  if (level < 0) return undefined;
  const { format } = tables;
  const order = tables.leafShift - format.pageShift - (format.geometry.shifts[level] ?? 0);
  return { table: tableOver(tables, page, level), level, order };
}

/** Table of `level` that covers a page; -1 if there is none. */
function tableOver(tables: PageTables, page: number, level: number): number {
  const { format, pool } = tables;
  let table = tables.root;
  for (let l = tables.levels - 1; l > level; l--) {
    const slot = tables.slotOf(table, l, page);
    const low = pool.words[slot]!;
    if ((low & format.presentMask) === 0 || isLeaf(format, low, l)) return -1;
    table = tables.tableIn(low);
  }
  return table;
}

/** What stays of the entries of a leaf when it is written anew: attributes, with the accessed and dirty state of any of them. */
function stateOf(tables: PageTables, slot: number, entries: number): { low: number; high: number } {
  const { format, pool } = tables;
  let low = pool.words[slot]!;
  const high = pool.words[slot + 1]!;
  for (let at = slot; at < slot + entries * 2; at += 2) {
    low |= pool.words[at]! & format.accessed;
    if (isDirty(format, pool.words[at]!, high)) low = withDirty(format, low, high);
  }
  return { low: low & format.keptLow, high: high & format.keptHigh };
}

/** First page that the leaf with these entries maps to. */
function leafPage(tables: PageTables, slot: number, level: number, order: number): number {
  const { format, pool } = tables;
  const page = pageIn(format, pool.words[slot]!, pool.words[slot + 1]!);
  return page - (page % ((format.geometry.spans[level] ?? 1) * 2 ** order));
}

/** Writes leaves of one size and the tables above them. */
class Filling {
  readonly #tables: PageTables;
  readonly #size: LeafSize;
  readonly #low: number;
  readonly #high: number;

  constructor(tables: PageTables, size: LeafSize, low: number, high: number) {
    this.#tables = tables;
    this.#size = size;
    this.#low = low;
    this.#high = high;
  }

  leaves(words: Int32Array, slot: number, count: number, out: number): void {
    writeLeaves(words, this.#tables.format, slot, count, this.#size, out, this.#low, this.#high);
  }

  /** A table in place of the leaf of an entry of `level`. */
  table(slot: number, level: number, out: number): void {
    const { format, pool } = this.#tables;
    const made = pool.allocate(format.geometry.tableFrames);
    const entries = 2 ** format.indexBits;
    pool.used[made] = entries;
    if (level - 1 === this.#size.level)
      this.leaves(pool.words, made * FRAME_WORDS, entries / 2 ** this.#size.order, out);
    else {
      const span = format.geometry.spans[level - 1]!;
      for (let i = 0; i < entries; i++) this.table(made * FRAME_WORDS + i * 2, level - 1, out + i * span);
    }
    this.#tables.pointTo(slot, level, made);
  }
}

/** What one leaf in place of many would be. */
class Block {
  readonly #tables: PageTables;
  out = -1;
  low = 0;
  high = 0;
  /** Attributes without accessed and dirty state, which all leaves must share. */
  #plainLow = 0;
  #next = 0;

  constructor(tables: PageTables) {
    this.#tables = tables;
  }

  /** Looks at `count` entries from `slot` on; false if they can't be part of it. */
  add(slot: number, level: number, count: number, size: LeafSize): boolean {
    const { format, pool } = this.#tables;
    const span = format.geometry.spans[level]!;
    for (let i = 0; i < count; ) {
      const at = slot + i * 2;
      const low = pool.words[at]!;
      const high = pool.words[at + 1]!;
      if ((low & format.presentMask) === 0) return false;
      if (!isLeaf(format, low, level)) {
        const table = this.#tables.tableIn(low);
        if (!this.add(table * FRAME_WORDS, level - 1, 2 ** format.indexBits, size)) return false;
        i++;
        continue;
      }
      const order = groupOrder(format, low, high, level);
      if (level === size.level && order >= size.order) return false;
      if (!this.#leaf(at, level, order, size)) return false;
      this.#next += span * 2 ** order;
      i += 2 ** order;
    }
    return true;
  }

  #leaf(slot: number, level: number, order: number, size: LeafSize): boolean {
    const { format } = this.#tables;
    const state = stateOf(this.#tables, slot, 2 ** order);
    const plainLow = withoutDirty(format, state.low, state.high) & ~format.accessed;
    const out = leafPage(this.#tables, slot, level, order);
    if (this.out < 0) {
      if (out % size.pages !== 0) return false;
      this.out = out;
      this.#next = out;
      this.low = state.low;
      this.high = state.high;
      this.#plainLow = plainLow;
      return true;
    }
    if (out !== this.#next || plainLow !== this.#plainLow || state.high !== this.high) return false;
    this.low |= state.low & format.accessed;
    if (isDirty(format, state.low, state.high)) this.low = withDirty(format, this.low, this.high);
    return true;
  }

  /** Tables under `count` entries go back to the pool. */
  free(slot: number, level: number, count: number): void {
    const { format, pool } = this.#tables;
    for (let at = slot; at < slot + count * 2; at += 2) {
      const low = pool.words[at]!;
      if (isLeaf(format, low, level)) continue;
      const table = this.#tables.tableIn(low);
      this.free(table * FRAME_WORDS, level - 1, 2 ** format.indexBits);
      pool.free(table, format.geometry.tableFrames);
    }
  }
}
