import { expect, test } from 'vitest';
import type { PageTableFormat } from '../page-table-format.ts';
import { PageTables, TABLE_EVENT } from '../page-tables.ts';
import { TablePool } from '../table-pool.ts';
import { amdV1 } from './amd-v1.ts';
import { armLpae } from './arm-lpae.ts';
import { riscv } from './riscv.ts';
import { x8664 } from './x86-64.ts';

const TIB = 2 ** 28;

function leafAt(tables: PageTables, page: number): { out: number; shift: number } | undefined {
  if (tables.translate(page | 0, Math.floor(page / 2 ** 32)) < 0) return undefined;
  return { out: (tables.outHi >>> 0) * 2 ** 32 + (tables.outLo >>> 0), shift: tables.leafShift };
}

/** Address bits of the leaves of a range, one by one. */
function shiftsOf(format: PageTableFormat, page: number, out: number, count: number): number[] {
  const tables = new PageTables(new TablePool(), format);
  tables.map(page, out, count, 3);
  const shifts: number[] = [];
  for (let at = page; at < page + count; at += 2 ** (shifts.at(-1)! - format.pageShift)) {
    shifts.push(leafAt(tables, at)!.shift);
  }
  return shifts;
}

test('start levels and root sizes are those of the architecture', () => {
  const root = (format: PageTableFormat): [levels: number, rootEntries: number] => [
    format.levels,
    2 ** format.geometry.rootBits(format.levels),
  ];
  expect(root(armLpae({ stage: 1, granuleShift: 12 }))).toEqual([4, 512]);
  expect(root(armLpae({ stage: 1, granuleShift: 14 }))).toEqual([4, 2]);
  expect(root(armLpae({ stage: 1, granuleShift: 14, inputBits: 47 }))).toEqual([3, 2048]);
  expect(root(armLpae({ stage: 1, granuleShift: 16 }))).toEqual([3, 64]);
  expect(root(armLpae({ stage: 1, granuleShift: 16, inputBits: 52, outputBits: 52 }))).toEqual([3, 1024]);
  // stage 2 puts up to 16 tables side by side rather than have one more level
  expect(root(armLpae({ stage: 2, granuleShift: 14 }))).toEqual([3, 2 * 2048]);
  expect(root(armLpae({ stage: 2, granuleShift: 12, inputBits: 40, outputBits: 40 }))).toEqual([3, 2 * 512]);
  expect(root(armLpae({ stage: 2, granuleShift: 12, inputBits: 42, outputBits: 42 }))).toEqual([3, 8 * 512]);
  expect(root(armLpae({ stage: 2, granuleShift: 14, inputBits: 40, outputBits: 40 }))).toEqual([2, 16 * 2048]);
  expect(root(armLpae({ stage: 2, granuleShift: 12 }))).toEqual([4, 512]);
  const chosen = { stage: 2, granuleShift: 12, inputBits: 43, outputBits: 48 } as const;
  expect(root(armLpae(chosen))).toEqual([4, 16]);
  expect(root(armLpae({ ...chosen, concatenated: true }))).toEqual([3, 16 * 512]);
  expect(root(x8664(4, { signExtended: false }))).toEqual([4, 256]);
});

test('a range takes the largest leaves that both addresses allow', () => {
  expect(shiftsOf(amdV1(), 3, 3, 14)).toEqual([12, 14, 15, 12]);
  expect(shiftsOf(amdV1(), 3, 1, 14)).toEqual([12, 13, 13, 13, 13, 13, 13, 12]);
  expect(shiftsOf(amdV1(), 0, 2 ** 30, 2 ** 28)).toEqual([40]);
  // 512 GiB leaves are never used
  expect(shiftsOf(amdV1(), 2 ** 27, 2 ** 27, 2 ** 27)).toEqual([38, 38]);
  expect(shiftsOf(riscv(3), 8, 8, 40)).toEqual([...Array<number>(8).fill(12), 16, 16]);
  expect(shiftsOf(riscv(4), 0, 0, 2 ** 27)).toEqual([39]);
  const hinted = (granuleShift: 12 | 14 | 16): PageTableFormat => armLpae({ stage: 1, granuleShift, contiguous: true });
  expect(shiftsOf(hinted(12), 16, 48, 32)).toEqual([16, 16]);
  expect(shiftsOf(hinted(12), 2 ** 13, 0, 2 ** 13)).toEqual([25]);
  expect(shiftsOf(hinted(12), 2 ** 22, 0, 2 ** 22)).toEqual([34]);
  expect(shiftsOf(hinted(14), 0, 2 ** 9, 2 ** 9)).toEqual([21]);
  expect(shiftsOf(hinted(14), 0, 2 ** 18, 2 ** 18)).toEqual([30]);
  expect(shiftsOf(hinted(16), 0, 2 ** 9, 2 ** 9)).toEqual([21]);
  expect(shiftsOf(hinted(16), 0, 2 ** 22, 2 ** 22)).toEqual([34]);
  const wide = armLpae({ stage: 1, granuleShift: 16, inputBits: 52, outputBits: 52 });
  expect(shiftsOf(wide, 0, 2 ** 36, 2 ** 30)).toEqual([42]);
});

test("AMD's root grows when an address or a leaf asks for it", () => {
  const tables = new PageTables(new TablePool(), amdV1());
  expect(tables.levels).toBe(3);
  expect(tables.map(5, 7, 1, 3)).toBe(0);
  expect(leafAt(tables, 2 ** 27)).toBeUndefined();
  expect(tables.unmap(2 ** 27, 1)).toBe(TABLE_EVENT.missing);
  expect(tables.map(2 ** 27, 9, 1, 3)).toBe(TABLE_EVENT.grown);
  expect(tables.levels).toBe(4);
  expect(tables.map(2 ** 52 - 1, 11, 1, 3)).toBe(TABLE_EVENT.grown);
  expect(tables.levels).toBe(6);
  expect([5, 2 ** 27, 2 ** 52 - 1].map((page) => leafAt(tables, page)?.out)).toEqual([7, 9, 11]);
  const large = new PageTables(new TablePool(), amdV1());
  // the old root hangs under the new one, empty, where the leaf goes
  expect(large.map(0, 0, TIB, 3)).toBe(TABLE_EVENT.grown | TABLE_EVENT.freedTable);
  expect([large.levels, leafAt(large, TIB - 1)]).toEqual([4, { out: TIB - 1, shift: 40 }]);
  expect(large.unmap(0, 1)).toBe(0);
  expect(large.removed).toBe(TIB);
});

test('addresses that a format does not translate are reported', () => {
  const signed = new PageTables(new TablePool(), x8664(4));
  expect(signed.map(2 ** 35 - 1, 5, 2, 3)).toBe(TABLE_EVENT.outside);
  expect(leafAt(signed, 2 ** 35 - 1)?.out).toBe(5);
  expect(leafAt(signed, 2 ** 35)).toBeUndefined();
  expect(signed.map(2 ** 35, 5, 1, 3)).toBe(TABLE_EVENT.outside);
  expect(signed.map(2 ** 52 - 2 ** 35, 6, 1, 3)).toBe(0);
  expect(leafAt(signed, 2 ** 52 - 2 ** 35)?.out).toBe(6);
  expect(signed.unmap(2 ** 36, 1)).toBe(TABLE_EVENT.outside | TABLE_EVENT.missing);
  const lower = new PageTables(new TablePool(), x8664(4, { signExtended: false }));
  expect(lower.map(2 ** 35, 5, 1, 3)).toBe(TABLE_EVENT.outside);
  for (const page of [-1, Number.NaN, Infinity, 2 ** 53]) {
    expect(lower.map(page, 5, 1, 3)).toBe(TABLE_EVENT.outside);
    expect(lower.unmap(page, 1) & TABLE_EVENT.outside).toBe(TABLE_EVENT.outside);
  }
  const arm = new PageTables(new TablePool(), armLpae({ stage: 1, granuleShift: 12, inputBits: 39, outputBits: 40 }));
  expect(arm.map(0, 2 ** 28, 1, 3)).toBe(TABLE_EVENT.outside);
  expect(arm.map(0, 2 ** 28 - 1, 2, 3)).toBe(TABLE_EVENT.outside);
  expect(arm.map(2 ** 27, 0, 1, 3)).toBe(TABLE_EVENT.outside);
  expect(arm.pages).toBe(0);
  const strict = new PageTables(new TablePool(), x8664(4), { strict: true });
  expect(strict.map(2 ** 35 - 1, 5, 2, 3)).toBe(TABLE_EVENT.outside);
  expect(strict.pages).toBe(0);
});

test('what is not a multiple of the granule is refused', () => {
  const tables = new PageTables(new TablePool(), armLpae({ stage: 1, granuleShift: 14 }));
  for (const [page, out, count] of [
    [1, 0, 4],
    [0, 2, 4],
    [0, 0, 3],
  ] as const) {
    expect(tables.map(page, out, count, 3)).toBe(TABLE_EVENT.unaligned);
  }
  expect(tables.map(4, 8, 4, 3)).toBe(0);
  expect(leafAt(tables, 6)).toEqual({ out: 10, shift: 14 });
  expect(tables.unmap(4, 2)).toBe(TABLE_EVENT.unaligned);
  expect(tables.pages).toBe(4);
});

test('LPAE: a map over a leaf is refused, one over a table replaces what it maps', () => {
  const tables = new PageTables(new TablePool(), armLpae({ stage: 1, granuleShift: 12 }), { strict: true });
  expect(tables.map(1024, 0, 512, 3)).toBe(0);
  expect(tables.map(1030, 5, 1, 3)).toBe(TABLE_EVENT.overlap);
  expect(tables.map(512, 512, 1024, 3)).toBe(TABLE_EVENT.overlap);
  expect(leafAt(tables, 512)).toBeUndefined();
  tables.map(5, 9, 1, 3);
  expect(tables.map(0, 0, 512, 3)).toBe(TABLE_EVENT.overlap);
  expect(leafAt(tables, 5)).toEqual({ out: 5, shift: 21 });
  expect(tables.pages).toBe(1024);
});

test('LPAE: part of a block is never unmapped', () => {
  const tables = new PageTables(new TablePool(), armLpae({ stage: 1, granuleShift: 12 }));
  tables.map(0, 0, 1024, 3);
  expect(tables.unmap(0, 1)).toBe(TABLE_EVENT.split);
  expect(tables.unmap(1, 511)).toBe(TABLE_EVENT.split);
  expect(tables.unmap(0, 513)).toBe(TABLE_EVENT.split);
  expect(tables.removed).toBe(512);
});

test('LPAE: a table is freed where its whole could be one block', () => {
  const free = (format: PageTableFormat, count: number): number => {
    const tables = new PageTables(new TablePool(), format);
    for (let page = 0; page < count; page += count / 8) tables.map(page, page, 16, 3);
    return tables.unmap(0, count) & TABLE_EVENT.freedTable;
  };
  expect(free(armLpae({ stage: 1, granuleShift: 14 }), 2 ** 13)).toBe(TABLE_EVENT.freedTable);
  // 16 KiB granule: 64 GiB is no block, so that its table stays, but those below it go
  const tables = new PageTables(new TablePool(), armLpae({ stage: 1, granuleShift: 14 }));
  tables.map(0, 0, 2 ** 13, 3);
  const held = tables.pool.frames;
  expect(tables.unmap(0, 2 ** 24) & TABLE_EVENT.freedTable).toBe(0);
  expect(tables.pool.frames).toBe(held);
});
