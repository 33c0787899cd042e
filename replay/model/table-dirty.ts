import type { PageTables } from './page-tables.ts';
import { TABLE_EVENT } from './page-tables.ts';
import { isDirty, isLeaf, withoutDirty } from './table-entry.ts';

/** Told of each dirty leaf: its pages inside the range that was asked for. */
export type DirtyLeaf = (page: number, pages: number) => void;

/**
 * Reads the dirty state of `count` pages from `page` on and, if `clear`, clears it: of a leaf of several entries, any dirty
 * one counts and all are cleared, also those outside the range. The caller must drop cached translations of what was cleared:
 * they know the page as dirty and won't set it so again. Returns `TABLE_EVENT` bits: `missing` where the range has a hole,
 * at which a harvest of LPAE tables ends (drivers/iommu/io-pgtable-arm.c) and the generic ones goes on.
 */
export function readDirty(tables: PageTables, page: number, count: number, clear: boolean, found: DirtyLeaf): number {
  const { pool, format } = tables;
  const { words } = pool;
  const { geometry, presentMask, group } = format;
  const { trackedHigh, mask, dirty } = format.dirty;
  const inside = Math.min(count, tables.room(page));
  const end = page + inside;
  let events = inside < count ? TABLE_EVENT.outside | TABLE_EVENT.missing : 0;
  let at = page;
  while (at < end) {
    if (!tables.reaches(at | 0, (at / 2 ** 32) | 0)) return events | TABLE_EVENT.missing;
    let table = tables.root;
    let level = tables.levels - 1;
    let slot = tables.slotOf(table, level, at);
    while ((words[slot]! & presentMask) !== 0 && !isLeaf(format, words[slot]!, level)) {
      table = tables.tableIn(words[slot]!);
      level--;
      slot = tables.slotOf(table, level, at);
    }
    const span = geometry.spans[level]!;
    const last = tables.slotOf(table, level, 0) + tables.maskOf(level) * 2;
    // along the table, so that a page costs one step and not one walk; `at` is inside an entry only at first
    let next = at - (at % span) + span;
    for (; slot <= last && at < end; slot += 2, at = next, next += span) {
      const low = words[slot]!;
      if ((low & presentMask) === 0) {
        events |= TABLE_EVENT.missing;
        if (format.rules === 'lpae') return events;
        continue;
      }
      if (!isLeaf(format, low, level)) break;
      const high = words[slot + 1]!;
      const order = group === undefined ? 0 : group.order(low, high, level);
      if (order === 0) {
        if ((low & mask) !== dirty || (high & trackedHigh) !== trackedHigh) continue;
        found(at, (next < end ? next : end) - at);
        if (clear) words[slot] = (low & ~mask) | (mask & ~dirty);
        continue;
      }
      const pages = span * 2 ** order;
      const first = at - (at % pages);
      const groupSlot = slot - ((next - span - first) / span) * 2;
      slot = groupSlot + 2 ** (order + 1) - 2;
      next = first + pages;
      if (!groupDirty(tables, groupSlot, slot)) continue;
      found(at, Math.min(next, end) - at);
      if (clear) cleanGroup(tables, groupSlot, slot);
    }
  }
  return events;
}

function groupDirty(tables: PageTables, from: number, to: number): boolean {
  const { words } = tables.pool;
  for (let slot = from; slot <= to; slot += 2) {
    if (isDirty(tables.format, words[slot]!, words[slot + 1]!)) return true;
  }
  return false;
}

function cleanGroup(tables: PageTables, from: number, to: number): void {
  const { words } = tables.pool;
  for (let slot = from; slot <= to; slot += 2) {
    words[slot] = withoutDirty(tables.format, words[slot]!, words[slot + 1]!);
  }
}
