import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../file.ts';
import { DIRTY_OP, DIRTY_SPACE } from '../schema.ts';

const PAGE_SHIFT = 12;
/** QEMU's counter of dirty pages starts again with the first synchronisation after this (migration/ram.c). */
const PERIOD_NS = 1_000_000_000;

interface Sync {
  /** Different pages that became dirty since the synchronisation before. */
  readonly pages: number;
  /** What QEMU's counter grew by. */
  readonly counted: number;
}

function readMigration() {
  const trace = openTrace(join(import.meta.dirname, 'migration-dirty.iorr'));
  const syncs: Sync[] = [];
  const dirty = new Set<number>();
  const reports: { readonly [name: string]: unknown }[] = [];
  const counts: Record<number, number> = {};
  let pages = 0;
  let passes = 0;
  let base = 0;
  let periodStart = -1;
  try {
    for (const segment of trace.segments()) {
      const { columns } = segment.rows.dirty;
      for (let row = 0; row < segment.count; row++) {
        const op = columns.op[row]!;
        const time = segment.time[row]!;
        counts[op] = (counts[op] ?? 0) + 1;
        if (op === DIRTY_OP.set) {
          expect(columns.space[row]).toBe(DIRTY_SPACE.ram);
          const high = columns.iovaHi[row]! * 2 ** (32 - PAGE_SHIFT);
          dirty.add(high + (columns.iovaLo[row]! >>> PAGE_SHIFT));
        } else if (op === DIRTY_OP.syncStart) {
          pages = dirty.size;
          dirty.clear();
          if (periodStart < 0) periodStart = time;
        } else if (op === DIRTY_OP.sync) {
          const count = columns.countLo[row]!;
          syncs.push({ pages, counted: count - base });
          base = time > periodStart + PERIOD_NS ? 0 : count;
          if (base === 0) periodStart = time;
        } else if (op === DIRTY_OP.pass) passes = columns.countLo[row]!;
        else if (op === DIRTY_OP.report) {
          reports.push(JSON.parse(trace.strings[columns.name[row]!] ?? '') as { readonly [name: string]: unknown });
        }
      }
    }
  } finally {
    trace.close();
  }
  return { syncs, reports, passes, counts };
}

describe('a migration: what QEMU logged against what it counted', () => {
  const { syncs, reports, passes, counts } = readMigration();

  test('pages that became dirty between synchronisations are those that QEMU counted', () => {
    // The first one begins the tracking: what was written before it is sent anyway.
    const later = syncs.slice(1);
    expect(later).toHaveLength(22);
    const exact = later.filter(({ pages, counted }) => pages === counted);
    expect(exact).toHaveLength(19);
    const sum = (of: (sync: Sync) => number): number => later.reduce((total, sync) => total + of(sync), 0);
    expect(Math.abs(sum(({ pages }) => pages) / sum(({ counted }) => counted) - 1)).toBeLessThan(0.01);
  });

  test('passes and pages sent are those that its management was told', () => {
    const last = reports.at(-1)?.['query-migrate'] as { readonly status: string; readonly ram: Record<string, number> };
    expect(last.status).toBe('completed');
    expect(passes).toBe(last.ram['dirty-sync-count']);
    expect(syncs).toHaveLength(passes + 1);
    expect(counts[DIRTY_OP.send]).toBe(last.ram['normal']);
    expect(last.ram['page-size']).toBe(2 ** PAGE_SHIFT);
  });
});
