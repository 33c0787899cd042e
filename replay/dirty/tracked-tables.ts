import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { entryMatch, matchDomain } from '../model/entry-match.ts';
import { DROP, alignHigh, alignLow } from '../model/iotlb.ts';
import type { Iotlb } from '../model/iotlb.ts';
import { mergeLeaves, splitLeaf } from '../model/leaf-sizes.ts';
import { createIotlb, iotlbGeometry } from '../model/organisation.ts';
import type { PageTableFormat } from '../model/page-table-format.ts';
import { PageTables } from '../model/page-tables.ts';
import { readDirty } from '../model/table-dirty.ts';
import type { DirtyLeaf } from '../model/table-dirty.ts';
import { isDirty } from '../model/table-entry.ts';
import { TablePool } from '../model/table-pool.ts';
import { WALK, TableWalk } from '../model/table-walk.ts';
import { noCounts } from './dirty-counts.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import { PageSet } from './page-set.ts';
import { countReads } from './table-reads.ts';

const TWO_32 = 2 ** 32;
const READ_WRITE = 3;
/** 512 MiB of tables: 255 GiB in leaves of 4 KiB. */
const MOST_FRAMES = 1 << 17;
/** Page bits of a block: what is searched for dirty leaves lies in blocks that a write or map touched. */
const BLOCK_BITS = 9;

/** The page tables of one address space, and the blocks in which there may be dirty leaves. */
interface Space {
  readonly tables: PageTables;
  readonly walk: TableWalk;
  readonly touched: PageSet;
}

export interface TrackedOptions {
  readonly hardware: HardwareProfile;
  readonly format: PageTableFormat;
  /** Largest leaf, in address bits: no block is smaller. */
  readonly leafShift: number;
  /** Cached translations are invalidated when their dirty state was cleared. */
  readonly flush: boolean;
  /** Of a leaf of several entries the last one is not told, but cleaned: as in Linux 7.2.13 (generic_pt). */
  readonly contiguousDefect: boolean;
  /** A translation that a read caches knows whether its leaf is dirty, as permissions are cached with it. */
  readonly readsKnow?: boolean;
}

/**
 * Page tables with hardware that sets their dirty bits, through an IOTLB that knows which of its translations did: a write
 * through such an entry changes no table (VT-d spec 6.2.4, AMD IOMMU spec 2.2.3.2, Arm ARM D8.5). Memory maps to itself, so
 * that any alignment of an address allows its leaf.
 */
export class TrackedTables {
  readonly counts: DirtyCounts = noCounts();
  /** Of the newest `access`: the write made its leaf dirty. */
  changed = false;
  readonly #format: PageTableFormat;
  readonly #flush: boolean;
  readonly #contiguousDefect: boolean;
  readonly #readsKnow: boolean;
  readonly #blockBits: number;
  readonly #pool = new TablePool({ limit: MOST_FRAMES });
  readonly #spaces: Space[] = [];
  readonly #iotlb: Iotlb;
  /** By slot of the IOTLB: the cached translation knows its leaf as dirty. */
  readonly #knows: Uint8Array;
  readonly #match = entryMatch();
  readonly #maxMask: number;
  readonly #reads = { entries: 0, tables: 0 };

  constructor(options: TrackedOptions) {
    const { hardware, format, leafShift, flush, contiguousDefect } = options;
    this.#format = format;
    this.#contiguousDefect = contiguousDefect && format.group !== undefined;
    this.#flush = flush;
    this.#readsKnow = options.readsKnow ?? false;
    this.#blockBits = Math.max(BLOCK_BITS, leafShift - format.pageShift);
    this.#iotlb = createIotlb(hardware, iotlbGeometry(hardware), () => undefined);
    this.#knows = new Uint8Array(this.#iotlb.entries.capacity);
    this.#maxMask = hardware.architecture === 'vtd' ? parameterOf(hardware, 'command.max-mask') : 52;
  }

  /** The tables of an address space, for tests and splits. */
  tables(space: number): PageTables {
    return this.#space(space).tables;
  }

  map(space: number, page: number, pages: number): void {
    const { tables, touched } = this.#space(space);
    const granule = this.#format.geometry.spans[0]!;
    const from = page - (page % granule);
    const to = Math.ceil((page + pages) / granule) * granule;
    tables.map(from, from, to - from, READ_WRITE);
    if (this.#format.dirty.trackedHigh === 0) return;
    // Arm: a new writable leaf reads as dirty
    const first = Math.floor(from / 2 ** this.#blockBits);
    touched.addRange(first, Math.floor((to - 1) / 2 ** this.#blockBits) - first + 1);
  }

  /** Leaves that lie across an edge of a range are split. */
  cut(space: number, page: number, pages: number): void {
    const { tables } = this.#space(space);
    this.#cut(tables, page);
    this.#cut(tables, page + pages);
  }

  /** No leaf may lie across an edge. The translations are invalidated. */
  unmap(space: number, page: number, pages: number): void {
    this.#space(space).tables.unmap(page, pages);
    this.invalidate(space, page, pages);
  }

  /** One access of a device to a page; false where the page isn't mapped. */
  access(space: number, page: number, write: boolean): boolean {
    const { counts } = this;
    const iotlb = this.#iotlb;
    const lo = page | 0;
    const hi = (page / TWO_32) | 0;
    counts.accesses++;
    this.changed = false;
    let slot = iotlb.lookup(space, lo, hi);
    if (slot >= 0 && (!write || this.#knows[slot] !== 0)) return true;
    const { walk } = this.#space(space);
    if (walk.read(lo, hi, 0) !== WALK.mapped) {
      counts.accesses--;
      return false;
    }
    counts.walkReads += walk.reads;
    if (slot < 0) {
      counts.misses++;
      const { tables } = walk;
      const order = tables.leafShift - 12;
      slot = iotlb.insert(
        space,
        space,
        -1,
        order,
        alignLow(lo, order),
        alignHigh(hi, order),
        alignLow(tables.outLo, order),
        alignHigh(tables.outHi, order),
      );
      if (slot >= 0) this.#knows[slot] = 0;
    }
    this.#update(space, page, slot, write);
    return true;
  }

  /**
   * Harvests pages: every dirty leaf is told (whole, but clipped to the range) and becomes clean; then one invalidation over
   * the lowest to the highest of them, unless the tables are told not to flush.
   */
  harvest(space: number, page: number, pages: number, found: DirtyLeaf, flush = this.#flush): void {
    const { tables, touched } = this.#space(space);
    const { counts } = this;
    const reads = this.#reads;
    reads.entries = 0;
    reads.tables = 0;
    countReads(tables, page, pages, reads);
    counts.calls++;
    counts.entriesRead += reads.entries;
    counts.tablesVisited += reads.tables;
    let low = -1;
    let high = -1;
    this.#search(space, page, pages, (at, dirty) => {
      if (low < 0) low = at;
      high = at + dirty;
      const entries = this.#entriesAt(tables, at);
      counts.entriesCleared += entries;
      found(at, this.#contiguousDefect ? toldOf(tables, at, dirty, entries) : dirty);
    });
    // what lies outside of the range stays to be found
    const blockPages = 2 ** this.#blockBits;
    const first = Math.ceil(page / blockPages);
    const end = Math.floor((page + pages) / blockPages);
    for (let b = touched.next(first, end); b >= 0; b = touched.next(b + 1, end)) touched.delete(b);
    if (low < 0 || !flush) return;
    this.invalidate(space, low, high - low);
  }

  /** The clean leaves of pages become dirty, without an access; returns how many. No cached translation learns of it. */
  dirty(space: number, page: number, pages: number): number {
    const { walk, touched, tables } = this.#space(space);
    const { words } = tables.pool;
    const end = page + pages;
    let leaves = 0;
    for (let at = page; at < end; ) {
      const mapped = walk.read(at | 0, (at / TWO_32) | 0, 0) === WALK.mapped;
      const leafPages = mapped ? 2 ** (tables.leafShift - 12) : 1;
      const slot = mapped ? walk.slots[walk.level]! : 0;
      if (mapped && !isDirty(this.#format, words[slot]!, words[slot + 1]!)) {
        walk.update(true);
        leaves++;
        touched.add(Math.floor(at / 2 ** this.#blockBits));
      }
      at = at - (at % leafPages) + leafPages;
    }
    this.counts.updates += leaves;
    return leaves;
  }

  /** The leaf of a page becomes leaves of `leafShift` address bits; true if it did. */
  split(space: number, page: number, leafShift: number): boolean {
    const entries = splitLeaf(this.tables(space), page, leafShift);
    if (entries === 0) return false;
    this.counts.splits++;
    this.counts.entriesWritten += entries;
    this.invalidate(space, page, entries * 2 ** (leafShift - 12));
    return true;
  }

  /** The reverse, of the aligned block of `leafShift` address bits; `parts`: leaves that it is made of. */
  merge(space: number, page: number, leafShift: number, parts: number): boolean {
    this.counts.entriesRead += parts;
    if (!mergeLeaves(this.tables(space), page, leafShift)) return false;
    this.counts.merges++;
    this.counts.entriesWritten++;
    this.invalidate(space, page, 2 ** (leafShift - 12));
    return true;
  }

  #update(space: number, page: number, slot: number, write: boolean): void {
    const { walk, tables, touched } = this.#space(space);
    const { words } = tables.pool;
    const at = walk.slots[walk.level]!;
    const wasDirty = isDirty(this.#format, words[at]!, words[at + 1]!);
    if (!write) {
      walk.update(false);
      if (this.#readsKnow && slot >= 0 && wasDirty) this.#knows[slot] = 1;
      return;
    }
    if (!wasDirty) {
      this.changed = true;
      this.counts.updates++;
      touched.add(Math.floor(page / 2 ** this.#blockBits));
    }
    walk.update(true);
    if (slot >= 0) this.#knows[slot] = 1;
  }

  /** Reads and clears what is dirty: only blocks that were touched can be. */
  #search(space: number, page: number, pages: number, found: DirtyLeaf): void {
    const { tables, touched } = this.#space(space);
    const blockPages = 2 ** this.#blockBits;
    const end = page + pages;
    const lastBlock = Math.floor((end - 1) / blockPages) + 1;
    let block = touched.next(Math.floor(page / blockPages), lastBlock);
    for (; block >= 0; block = touched.next(block + 1, lastBlock)) {
      const from = Math.max(page, block * blockPages);
      readDirty(tables, from, Math.min(end, (block + 1) * blockPages) - from, true, found);
    }
  }

  /** Entries of the leaf of a page: one, but for replicated leaves. */
  #entriesAt(tables: PageTables, page: number): number {
    const { group, geometry, pageShift } = this.#format;
    if (group === undefined) return 1;
    const level = tables.translate(page | 0, (page / TWO_32) | 0);
    return 2 ** (tables.leafShift - pageShift - (geometry.shifts[level] ?? 0));
  }

  /** Splits leaves until one begins at the page. */
  #cut(tables: PageTables, page: number): void {
    while (tables.translate(page | 0, (page / TWO_32) | 0) >= 0 && page % 2 ** (tables.leafShift - 12) !== 0) {
      if (splitLeaf(tables, page) === 0) return;
    }
  }

  /** One command over the smallest aligned block that holds the pages, or over the domain where that is too large. */
  invalidate(space: number, page: number, pages: number): void {
    this.counts.flushes++;
    const match = matchDomain(this.#match, space, -1);
    let order = 0;
    while (Math.floor(page / 2 ** order) !== Math.floor((page + pages - 1) / 2 ** order)) order++;
    if (order > this.#maxMask) this.#iotlb.dropMatching(match, DROP.command);
    else {
      const lo = alignLow(page | 0, order);
      this.#iotlb.dropPages(match, lo, alignHigh((page / TWO_32) | 0, order), order, DROP.command);
    }
  }

  #space(space: number): Space {
    let known = this.#spaces[space];
    if (known === undefined) {
      const tables = new PageTables(this.#pool, this.#format);
      known = { tables, walk: new TableWalk(tables), touched: new PageSet() };
      this.#spaces[space] = known;
    }
    return known;
  }
}

/** Pages of a dirty leaf that are told where the last entry of several is left out. */
function toldOf(tables: PageTables, page: number, pages: number, entries: number): number {
  const leafPages = 2 ** (tables.leafShift - tables.format.pageShift);
  return entries === 1 || (page + pages) % leafPages !== 0 ? pages : pages - leafPages / entries;
}
