import type { DirtyLeaf } from '../../model/table-dirty.ts';
import { TrackedTables } from '../tracked-tables.ts';
import type { DirtyCounts } from '../dirty-counts.ts';
import type { DirtyMethod, DirtyMethodOptions } from '../dirty-method.ts';
import { leafName, withLeaves } from '../harvest-tables.ts';
import type { HarvestTables } from '../harvest-tables.ts';

const PAGE_SHIFT = 12;
const BITMAP_PAGES = 8;

/** What harvests by dirty bits share: tables of leaves of at most one size, and how they are cleaned at the start. */
export class TableMethod implements DirtyMethod {
  readonly tables: TrackedTables;
  readonly counts: DirtyCounts;

  constructor(leafShift: number, options: DirtyMethodOptions) {
    const format = withLeaves(options.tables.format, leafShift);
    const { hardware, flush, contiguousDefect } = options;
    this.tables = new TrackedTables({ hardware, format, leafShift, flush, contiguousDefect });
    this.counts = this.tables.counts;
  }

  map(space: number, page: number, pages: number): void {
    this.tables.map(space, page, pages);
  }

  unmap(space: number, page: number, pages: number, found?: DirtyLeaf): void {
    this.tables.cut(space, page, pages);
    if (found !== undefined) this.read(space, page, pages, found);
    this.tables.unmap(space, page, pages);
  }

  access(space: number, page: number, write: boolean): boolean {
    return this.tables.access(space, page, write);
  }

  /** SET_DIRTY_TRACKING reads and clears all and flushes (drivers/iommu/iommufd/io_pagetable.c, iopt_set_dirty_tracking). */
  start(space: number, page: number, pages: number): void {
    this.tables.harvest(space, page, pages, () => undefined, true);
  }

  harvest(space: number, page: number, pages: number, found: DirtyLeaf): void {
    this.read(space, page, pages, found);
  }

  /** One request, and nothing that a method does besides. */
  protected read(space: number, page: number, pages: number, found: DirtyLeaf): void {
    this.tables.harvest(space, page, pages, found);
    this.counts.bitmapBytes += Math.ceil(pages / BITMAP_PAGES);
  }

  /** What hardware has set stays until the next start. */
  stop(_space: number, _page: number, _pages: number): void {}
}

/** Why leaves of a size can't be harvested in a format. */
export function leafTrouble(leafShift: number, tables: HarvestTables): string | undefined {
  const { format, untracked, name } = tables;
  if (untracked !== undefined) return `${name}: ${untracked}`;
  if (format.geometry.sizeOf(leafShift) !== undefined) return undefined;
  const sizes = format.geometry.sizes.map((size) => size.pageBits + PAGE_SHIFT).filter((shift) => shift <= 30);
  return `${name} has no leaves of ${leafName(leafShift)}, only ${sizes.map(leafName).join(', ')}`;
}

/** Why a harvest misses writes. */
export function flushTrouble({ flush, contiguousDefect, tables }: DirtyMethodOptions): string | undefined {
  if (!flush) return 'no flush after a harvest: writes through translations that are cached as dirty set no bit again';
  if (!contiguousDefect || tables.format.group === undefined) return undefined;
  return 'a harvest cleans the last entry of a leaf of several without telling it';
}
