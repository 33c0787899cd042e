import { expect, test } from 'vitest';
import type { PageTableFormat } from '../page-table-format.ts';
import { PageTables } from '../page-tables.ts';
import { TablePool } from '../table-pool.ts';
import { amdV1 } from './amd-v1.ts';
import { armLpae } from './arm-lpae.ts';
import { riscv } from './riscv.ts';
import { vtdSecondStage } from './vtd-second-stage.ts';
import { x8664 } from './x86-64.ts';

/** Entries from the root to the leaf of `page` after one map, as 64-bit words in hex. */
function wordsOf(format: PageTableFormat, page: number, out: number, count: number, prot: number): string[] {
  const pool = new TablePool();
  const tables = new PageTables(pool, format);
  tables.map(page, out, count, prot);
  const leaf = tables.translate(page | 0, Math.floor(page / 2 ** 32));
  const found: string[] = [];
  let table = tables.root;
  for (let level = tables.levels - 1; level >= leaf; level--) {
    const slot = tables.slotOf(table, level, page);
    const low = pool.words[slot]!;
    found.push(((BigInt(pool.words[slot + 1]! >>> 0) << 32n) | BigInt(low >>> 0)).toString(16));
    table = tables.tableIn(low);
  }
  return found;
}

const MIB_2 = 512;
const GIB = 512 * 512;

// the first tables of a pool are frames 1 (or, of several frames, as many) and upwards
test('VT-d second stage', () => {
  expect(wordsOf(vtdSecondStage(4), 5, 0xabcde12345, 1, 3)).toEqual(['2003', '3003', '4003', 'abcde12345003']);
  expect(wordsOf(vtdSecondStage(3), 5, 7, 1, 1)).toEqual(['2003', '3003', '7001']);
  expect(wordsOf(vtdSecondStage(4, 0b111, true), GIB, GIB, GIB, 2)).toEqual(['2003', '40000882']);
});

test('x86-64', () => {
  expect(wordsOf(x8664(4), 5, 7, 1, 3)).toEqual(['2027', '3027', '4027', '7067']);
  expect(wordsOf(x8664(4), 5, 7, 1, 1)).toEqual(['2027', '3027', '4027', '7025']);
  expect(wordsOf(x8664(4), MIB_2, MIB_2, MIB_2, 2)).toEqual(['2027', '3027', '2000e7']);
  expect(wordsOf(x8664(4, { preset: false }), 5, 7, 1, 3)).toEqual(['2007', '3007', '4007', '7007']);
});

test('AMD v1: NextLevel, permissions in all entries, size codes', () => {
  expect(wordsOf(amdV1(), 5, 7, 1, 3)).toEqual(['6000000000002401', '6000000000003201', '6000000000007001']);
  expect(wordsOf(amdV1({ coherent: true }), 5, 7, 1, 1).at(-1)).toBe('3000000000007001');
  expect(wordsOf(amdV1(), 5, 7, 1, 2).at(-1)).toBe('4000000000007001');
  // 8 KiB: a zero right above the page bits; 16 KiB: one, then zero; 64 KiB: 0111
  expect(wordsOf(amdV1(), 2, 2, 2, 3).at(-1)).toBe('6000000000002e01');
  expect(wordsOf(amdV1(), 4, 4, 4, 3).at(-1)).toBe('6000000000005e01');
  expect(wordsOf(amdV1(), 16, 16, 16, 3).at(-1)).toBe('6000000000017e01');
  // 2 MiB is level 1's own size, 4 MiB is not
  expect(wordsOf(amdV1(), MIB_2, MIB_2, MIB_2, 3).at(-1)).toBe('6000000000200001');
  expect(wordsOf(amdV1(), 2 * MIB_2, 0, 2 * MIB_2, 3).at(-1)).toBe('60000000001ffe01');
  // 2 TiB is four entries of the fourth level, and its code goes past bit 31
  expect(wordsOf(amdV1(), 2048 * GIB, 0, 2048 * GIB, 3)).toEqual(['600000fffffffe01']);
  // pages of 2 KiB: page numbers and sizes one bit less
  expect(wordsOf(amdV1({ granuleShift: 11 }), 2, 2, 2, 3).at(-1)).toBe('6000000000002e01');
  expect(wordsOf(amdV1({ granuleShift: 11 }), 5, 7, 1, 3)[0]).toBe('6000000000004401');
});

test('Arm stage 1: as io-pgtable-arm writes coherent mappings', () => {
  const s1 = armLpae({ stage: 1, granuleShift: 12 });
  expect(wordsOf(s1, 5, 7, 1, 3)).toEqual(['2003', '3003', '4003', '7f47']);
  expect(wordsOf(s1, 5, 7, 1, 1).at(-1)).toBe('7fc7');
  expect(wordsOf(s1, MIB_2, MIB_2, MIB_2, 3).at(-1)).toBe('200f45');
  const tracked = armLpae({ stage: 1, granuleShift: 12, hardwareDirty: true, contiguous: true });
  expect(wordsOf(tracked, 5, 7, 1, 3).at(-1)).toBe('8000000007f47');
  expect(wordsOf(tracked, 5, 7, 1, 1).at(-1)).toBe('7fc7');
  expect(wordsOf(tracked, 16, 32, 16, 3).at(-1)).toBe('18000000020f47');
  // 64 KiB granule: address bits 51:48 in 15:12
  const wide = armLpae({ stage: 1, granuleShift: 16, inputBits: 52, outputBits: 52 });
  expect(wordsOf(wide, 16, 0xd123456780, 16, 3).at(-1)).toBe('12345678df47');
});

test('Arm stage 2', () => {
  const s2 = armLpae({ stage: 2, granuleShift: 12 });
  expect(wordsOf(s2, 5, 7, 1, 3).at(-1)).toBe('77ff');
  expect(wordsOf(s2, 5, 7, 1, 1).at(-1)).toBe('777f');
  expect(wordsOf(s2, 5, 7, 1, 2).at(-1)).toBe('77bf');
  expect(wordsOf(s2, GIB, GIB, GIB, 3).at(-1)).toBe('400007fd');
});

test('RISC-V', () => {
  expect(wordsOf(riscv(3), 5, 7, 1, 3)).toEqual(['801', 'c01', '1cdf']);
  expect(wordsOf(riscv(3), 5, 7, 1, 1).at(-1)).toBe('1c5b');
  // 64 KiB: N, and 1000 at the end of the page number
  expect(wordsOf(riscv(3), 16, 32, 16, 3).at(-1)).toBe('800000000000a0df');
  expect(wordsOf(riscv(3, { svnapot: false }), 16, 32, 16, 3).at(-1)).toBe('80df');
});
