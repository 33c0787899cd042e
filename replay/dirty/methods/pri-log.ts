import type { DirtyLeaf } from '../../model/table-dirty.ts';
import type { DirtyCounts } from '../dirty-counts.ts';
import type { DirtyMethod, DirtyMethodFactory, DirtyMethodOptions } from '../dirty-method.ts';
import { harvestTables, leafShiftOf, withLeaves } from '../harvest-tables.ts';
import { TrackedTables } from '../tracked-tables.ts';
import { protectTrouble } from './write-protect.ts';

const SMALL = 12;
const LARGE = 21;
/** Leaves of a table. */
const TABLE_BITS = 9;

/**
 * Dirty pages logged by page requests: leaves are read-only while they are clean. A device whose translation does not permit a
 * write asks for the page (PCIe page request with W); the kernel logs the block around it, makes its leaves writable and answers
 * the group; the device asks for the translation again and writes. Nothing is invalidated for that, as the permission only
 * widens. A harvest collects the log and protects what was logged. A dirty leaf of the tables is a writable one, and a cached
 * translation that knows it as dirty is one that permits writes.
 */
class PriLog implements DirtyMethod {
  readonly counts: DirtyCounts;
  readonly #tables: TrackedTables;
  /** Pages of a block that one fault logs, and of a table of its leaves. */
  readonly #block: number;
  readonly #tablePages: number;
  readonly #flush: boolean;
  #tracking = false;

  constructor(blockShift: number, { hardware, flush }: DirtyMethodOptions) {
    const leafShift = leafOf(blockShift);
    const { format } = harvestTables('vtd-second-stage', hardware);
    this.#block = 2 ** (blockShift - SMALL);
    this.#tablePages = 2 ** (leafShift - SMALL + TABLE_BITS);
    this.#flush = flush;
    this.#tables = new TrackedTables({
      hardware,
      format: withLeaves(format, leafShift),
      leafShift,
      flush,
      contiguousDefect: false,
      readsKnow: true,
    });
    this.counts = this.#tables.counts;
  }

  map(space: number, page: number, pages: number): void {
    this.#tables.map(space, page, pages);
  }

  unmap(space: number, page: number, pages: number, found?: DirtyLeaf): void {
    this.#tables.cut(space, page, pages);
    if (found !== undefined) this.harvest(space, page, pages, found);
    this.#tables.unmap(space, page, pages);
  }

  access(space: number, page: number, write: boolean): boolean {
    const { counts } = this;
    const { misses, walkReads } = counts;
    const done = this.#tables.access(space, page, write);
    const reads = counts.walkReads - walkReads;
    if (reads === 0 || !this.#tracking) return done;
    // the translation was there, but not the permission
    if (counts.misses === misses) counts.retranslations++;
    if (!write || !this.#tables.changed) return done;
    counts.faults++;
    counts.requests++;
    counts.responses++;
    counts.retranslations++;
    counts.walkReads += reads;
    if (this.#block > 1) this.#tables.dirty(space, page - (page % this.#block), this.#block);
    return done;
  }

  /** All leaves become read-only, and what devices cached of them is invalidated. */
  start(space: number, page: number, pages: number): void {
    const { counts } = this;
    const { entriesRead, tablesVisited, entriesCleared } = counts;
    this.#tracking = true;
    this.#tables.harvest(space, page, pages, () => undefined, false);
    // all of it is mapped: an entry is a leaf, or leads to a table that was visited
    counts.entriesCleared =
      entriesCleared + counts.entriesRead - entriesRead - (counts.tablesVisited - tablesVisited - 1);
    if (this.#flush) this.#tables.invalidate(space, page, pages);
  }

  /** The log of a part, and its leaves protected anew: no others are read. */
  harvest(space: number, page: number, pages: number, found: DirtyLeaf): void {
    const { counts } = this;
    const { entriesRead, tablesVisited } = counts;
    let block = -1;
    let table = -1;
    let tables = 0;
    this.#tables.harvest(space, page, pages, (at, leafPages) => {
      found(at, leafPages);
      if (Math.floor(at / this.#tablePages) !== table) tables++;
      if (Math.floor(at / this.#block) !== block) counts.ringEntries++;
      table = Math.floor(at / this.#tablePages);
      block = Math.floor(at / this.#block);
    });
    counts.entriesRead = entriesRead;
    counts.tablesVisited = tablesVisited + tables;
  }

  stop(_space: number, _page: number, _pages: number): void {
    this.#tracking = false;
  }
}

/** Address bits of the leaves of a block: the largest that VT-d has and that is no larger. */
function leafOf(blockShift: number): number {
  return blockShift >= LARGE ? LARGE : SMALL;
}

/** Dirty logging through page requests, which no kernel has yet (PCIe ATS and PRI; VT-d spec 7.4, drivers/iommu/intel/prq.c). */
export const priLog: DirtyMethodFactory = {
  name: 'pri-log',
  summary: 'leaves are read-only while clean; the first write is a page request of the device, which logs a block',
  value: {
    about: 'what one fault logs and makes writable, 4k to 2m',
    default: '4k',
    parse: (text) => {
      const shift = leafShiftOf(text);
      return shift >= SMALL && shift <= LARGE ? shift : -1;
    },
    example: '2m',
  },
  untrackedLeaf: () => LARGE,
  sets: 'page-request',
  protects: false,
  logsAgain: false,
  impossible: () => undefined,
  misses: protectTrouble,
  plan: (blockShift) => ({ told: blockShift, scannedLeaf: 0, bitmap: false, ring: true }),
  create: (blockShift, options) => new PriLog(blockShift, options),
};
