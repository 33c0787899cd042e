import { expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { PageTables } from './page-tables.ts';
import { TablePool } from './table-pool.ts';

test('tables of several frames are aligned to their size', () => {
  const pool = new TablePool();
  const taken = [1, 4, 1, 16, 256, 1].map((frames) => [pool.allocate(frames), frames] as const);
  for (const [table, frames] of taken) expect(table % frames).toBe(0);
  const frames = taken.flatMap(([table, count]) => Array.from({ length: count }, (_, i) => table + i));
  expect(new Set(frames).size).toBe(frames.length);
  expect(pool.frames).toBe(279);
  for (const [table, count] of taken) pool.free(table, count);
  expect(pool.frames).toBe(0);
  expect(pool.allocate(16)).toBe(taken[3]?.[0]);
});

test('a table that is taken again is empty', () => {
  const pool = new TablePool();
  const table = pool.allocate(4);
  pool.words.fill(7, table * 1024, (table + 4) * 1024);
  pool.free(table, 4);
  expect(pool.allocate(4)).toBe(table);
  expect(pool.words.subarray(table * 1024, (table + 4) * 1024).every((word) => word === 0)).toBe(true);
});

test('tables in shared memory are seen from outside, and no more than fit', () => {
  const buffer = new SharedArrayBuffer(5 * 4096);
  const tables = new PageTables(new TablePool({ buffer }), vtdSecondStage(4));
  tables.map(5, 7, 1, 3);
  expect(new Int32Array(buffer, 4 * 4096, 1024)[10]).toBe(0x7003);
  expect(() => tables.map(512, 7, 1, 3)).toThrow(IorrError);
  expect(tables.translate(5, 0)).toBe(0);
});

test('64 GiB of 4 KiB leaves and 1 TiB of 2 MiB leaves fit the pool', () => {
  // an aligned output makes large leaves; an odd one makes small ones of a range that a level up would hold
  const frames = (pages: number, leaf: number): number => {
    let tables = 0;
    for (let span = leaf * 512; tables === 0 || span <= 2 ** 36; span *= 512) tables += Math.ceil(pages / span);
    return tables + 1;
  };
  expect(frames(2 ** 24, 1)).toBeLessThan(65536);
  expect(frames(2 ** 28, 512)).toBeLessThan(65536);
  const pool = new TablePool();
  const tables = new PageTables(pool, vtdSecondStage(4, 0b011));
  tables.map(0, 2 ** 28, 2 ** 28, 3);
  expect(tables.pages).toBe(2 ** 28);
  expect(pool.frames).toBe(1 + 2 + 1024);
  tables.destroy();
  tables.root = 0;
  expect(pool.frames).toBe(0);
});
