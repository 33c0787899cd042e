import type { DirtyLeaf } from '../../model/table-dirty.ts';
import type { DirtyCounts } from '../dirty-counts.ts';
import type { DirtyMethod, DirtyMethodFactory, DirtyMethodOptions } from '../dirty-method.ts';
import { harvestTables, withLeaves } from '../harvest-tables.ts';
import { TrackedTables } from '../tracked-tables.ts';

const LEAF = 12;
const BITMAP_PAGES = 8;

/**
 * Pages that are write-protected while they are clean: what hardware does to a dirty bit, the kernel does in the fault of the
 * first write. A cached translation that allows writes is what a cached dirty bit is elsewhere, so the tables are the same;
 * the log says where writes were, so that nothing is scanned for it.
 */
export class ProtectedPages implements DirtyMethod {
  readonly counts: DirtyCounts;
  readonly #tables: TrackedTables;
  #tracking = false;

  constructor({ hardware, flush }: DirtyMethodOptions) {
    // a processor's tables, or the IOMMU's: 4 KiB leaves in either case, and which bits they have does not matter
    const { format } = harvestTables('vtd-second-stage', hardware);
    this.#tables = new TrackedTables({
      hardware,
      format: withLeaves(format, LEAF),
      leafShift: LEAF,
      flush,
      contiguousDefect: false,
    });
    this.counts = this.#tables.counts;
  }

  map(space: number, page: number, pages: number): void {
    this.#tables.map(space, page, pages);
  }

  unmap(space: number, page: number, pages: number, found?: DirtyLeaf): void {
    if (found !== undefined) this.harvest(space, page, pages, found);
    this.#tables.unmap(space, page, pages);
  }

  access(space: number, page: number, write: boolean): boolean {
    const done = this.#tables.access(space, page, write);
    if (write && this.#tables.changed && this.#tracking) {
      this.counts.faults++;
      this.logged(space, page);
    }
    return done;
  }

  /** All leaves become small and write-protected, once. */
  start(space: number, page: number, pages: number): void {
    this.#tracking = true;
    this.protect(space, page, pages, () => undefined, true);
    this.counts.entriesCleared += pages;
  }

  /** KVM_GET_DIRTY_LOG or KVM_CLEAR_DIRTY_LOG of a part: its bitmap, and its pages protected anew. */
  harvest(space: number, page: number, pages: number, found: DirtyLeaf): void {
    this.protect(space, page, pages, found);
    this.counts.bitmapBytes += Math.ceil(pages / BITMAP_PAGES);
  }

  stop(_space: number, _page: number, _pages: number): void {
    this.#tracking = false;
  }

  /** A page was written for the first time since it was protected. */
  protected logged(_space: number, _page: number): void {}

  /** Tells pages that can be written and protects them; no entry but theirs is read. */
  protected protect(space: number, page: number, pages: number, found: DirtyLeaf, flush?: boolean): void {
    const { counts } = this;
    const { entriesRead, tablesVisited } = counts;
    this.#tables.harvest(space, page, pages, found, flush);
    counts.entriesRead = entriesRead;
    counts.tablesVisited = tablesVisited;
  }
}

/** Why a harvest misses writes. */
export function protectTrouble({ flush }: DirtyMethodOptions): string | undefined {
  if (flush) return undefined;
  return 'no flush after protecting: writes through translations that are cached as writable take no fault';
}

/** KVM's dirty bitmap (Documentation/virt/kvm/api.rst, KVM_GET_DIRTY_LOG). */
export const writeProtect: DirtyMethodFactory = {
  name: 'write-protect',
  summary: 'pages are write-protected and the first write to each faults, as in KVM’s dirty log',
  untrackedLeaf: () => 21,
  sets: 'fault',
  protects: true,
  logsAgain: false,
  impossible: () => undefined,
  misses: protectTrouble,
  plan: () => ({ told: LEAF, scannedLeaf: 0, bitmap: true, ring: false }),
  create: (_, options) => new ProtectedPages(options),
};
