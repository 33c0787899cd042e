import type { PageTables } from '../model/page-tables.ts';
import { isLeaf } from '../model/table-entry.ts';

/** Entries that a walk over a range looks at, and the tables that hold them. */
export interface TableReads {
  entries: number;
  tables: number;
}

/**
 * Counts what a harvest of pages reads: of each table that it enters, the entries inside the range, empty ones too
 * (drivers/iommu/generic_pt/iommu_pt.h, `pt_walk_range`). Leaf tables are counted without being read.
 */
export function countReads(tables: PageTables, page: number, pages: number, reads: TableReads): void {
  const { pool, format } = tables;
  const { geometry } = format;
  const visit = (table: number, level: number, from: number, to: number): void => {
    const span = geometry.spans[level]!;
    const first = Math.floor(from / span);
    const last = Math.floor((to - 1) / span);
    reads.tables++;
    reads.entries += last - first + 1;
    if (level === 0) return;
    for (let at = first; at <= last; at++) {
      const low = pool.words[tables.slotOf(table, level, at * span)]!;
      if ((low & format.presentMask) === 0 || isLeaf(format, low, level)) continue;
      visit(tables.tableIn(low), level - 1, Math.max(from, at * span), Math.min(to, (at + 1) * span));
    }
  };
  const end = Math.min(page + pages, page + tables.room(page));
  if (end > page) visit(tables.root, tables.levels - 1, page, end);
}
