import type { PageTables } from './page-tables.ts';
import { isLeaf } from './table-entry.ts';
import { FRAME_WORDS } from './table-pool.ts';

/** Pages that a table of `level` and all below it map. */
export function mappedUnder(tables: PageTables, table: number, level: number): number {
  return countPages(tables, table, level, false);
}

/** Frees a table of `level` and all below it; returns the pages that they mapped. */
export function releaseTable(tables: PageTables, table: number, level: number): number {
  return countPages(tables, table, level, true);
}

function countPages(tables: PageTables, table: number, level: number, free: boolean): number {
  const { pool, format } = tables;
  const { words } = pool;
  const { geometry, presentMask } = format;
  const span = geometry.spans[level]!;
  let pages = 0;
  if (level === 0) pages = pool.used[table]! * span;
  else if (pool.used[table]! > 0) {
    const first = table * FRAME_WORDS;
    const end = first + (tables.maskOf(level) + 1) * 2;
    for (let slot = first; slot < end; slot += 2) {
      const low = words[slot]!;
      if ((low & presentMask) === 0) continue;
      pages += isLeaf(format, low, level) ? span : countPages(tables, tables.tableIn(low), level - 1, free);
    }
  }
  if (free) pool.free(table, level === tables.levels - 1 ? geometry.rootFrames(tables.levels) : geometry.tableFrames);
  return pages;
}
