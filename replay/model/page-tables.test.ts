import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { PageTables, TABLE_EVENT } from './page-tables.ts';
import { TablePool } from './table-pool.ts';

function translate(tables: PageTables, page: number): { out: number; level: number; bits: number } | undefined {
  const level = tables.translate(page | 0, Math.floor(page / 2 ** 32));
  if (level < 0) return undefined;
  return { out: (tables.outHi >>> 0) * 2 ** 32 + (tables.outLo >>> 0), level, bits: tables.leafBits };
}

/** What the tables must do, page by page, slowly: which leaf each page belongs to. */
class Reference {
  readonly leaves = new Map<number, { out: number; level: number; start: number; prot: number }>();

  map(page: number, out: number, count: number, prot: number): void {
    let [at, to, left] = [page, out, count];
    while (left > 0) {
      const level = [2, 1, 0].find((l) => at % 512 ** l === 0 && to % 512 ** l === 0 && left >= 512 ** l) ?? 0;
      const span = 512 ** level;
      for (let i = 0; i < span; i++) {
        const old = this.leaves.get(at + i);
        if (old !== undefined && old.level > level) this.#shatter(old.start, old.level, level);
      }
      for (let i = 0; i < span; i++) this.leaves.set(at + i, { out: to + i, level, start: at, prot });
      at += span;
      to += span;
      left -= span;
    }
  }

  /** The leaf at `start` becomes leaves of the next lower level where nothing smaller is asked for, down to `level`. */
  #shatter(start: number, from: number, level: number): void {
    for (let i = 0; i < 512 ** from; i++) {
      const leaf = this.leaves.get(start + i);
      if (leaf === undefined) continue;
      leaf.level = from - 1;
      leaf.start = start + i - (i % 512 ** (from - 1));
      if (from - 1 > level) this.#shatter(leaf.start, from - 1, level);
    }
  }

  unmap(page: number, count: number): number {
    let removed = 0;
    let at = page;
    while (at < page + count) {
      const leaf = this.leaves.get(at);
      if (leaf === undefined) {
        at++;
        continue;
      }
      if (leaf.start !== at && !this.#covered(at, page, count)) break;
      const span = 512 ** leaf.level;
      for (let i = 0; i < span; i++) if (this.leaves.delete(leaf.start + i)) removed++;
      at = leaf.start + span;
    }
    return removed;
  }

  #covered(at: number, page: number, count: number): boolean {
    const start = this.leaves.get(at)?.start ?? at;
    return start >= page && start < page + count;
  }
}

const operation = fc.record({
  map: fc.boolean(),
  page: fc.oneof(
    fc.integer({ min: 0, max: 2047 }),
    fc.integer({ min: 0, max: 3 }).map((block) => block * 512),
  ),
  out: fc.oneof(
    fc.integer({ min: 0, max: 5000 }),
    fc.integer({ min: 0, max: 9 }).map((block) => block * 512),
  ),
  count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 500, max: 1100 })),
  prot: fc.integer({ min: 0, max: 3 }),
});

describe('page tables', () => {
  test('random maps and unmaps agree with a page-by-page reference', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 3, max: 5 }),
        (ops, levels) => {
          const pool = new TablePool();
          const tables = new PageTables(pool, vtdSecondStage(levels));
          const reference = new Reference();
          for (const op of ops) {
            if (op.map) {
              tables.map(op.page, op.out, op.count, op.prot);
              reference.map(op.page, op.out, op.count, op.prot);
            } else {
              tables.unmap(op.page, op.count);
              expect(tables.removed).toBe(reference.unmap(op.page, op.count));
            }
            expect(tables.pages).toBe(reference.leaves.size);
          }
          for (let page = 0; page < 3200; page++) {
            const leaf = reference.leaves.get(page);
            const found = translate(tables, page);
            expect(found && { out: found.out, level: found.level, prot: found.bits & 3 }).toEqual(
              leaf && { out: leaf.out, level: leaf.level, prot: leaf.prot === 0 ? 3 : leaf.prot },
            );
          }
          tables.destroy();
          expect(pool.frames).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('addresses keep all 52 bits of their page number', () => {
    const tables = new PageTables(new TablePool(), vtdSecondStage(5));
    const page = 2 ** 45 - 3;
    const out = 2 ** 40 - 7;
    expect(tables.map(page, out, 3, 1)).toBe(0);
    expect(translate(tables, page + 2)).toEqual({ out: out + 2, level: 0, bits: 1 });
    expect(translate(tables, page - 1)).toBeUndefined();
    expect(tables.map(page, out, 4, 1) & TABLE_EVENT.outside).toBe(TABLE_EVENT.outside);
    const narrow = new PageTables(new TablePool(), vtdSecondStage(3));
    narrow.map(5, 6, 1, 3);
    expect(translate(narrow, 2 ** 27 + 5)).toBeUndefined();
    expect(translate(narrow, 2 ** 32 + 5)).toBeUndefined();
  });

  test('an unmap frees a table only if it covers all that the table maps', () => {
    const tables = new PageTables(new TablePool(), vtdSecondStage(4));
    tables.map(1024, 5, 512, 3);
    expect(tables.unmap(1024, 511) & TABLE_EVENT.freedTable).toBe(0);
    expect(tables.unmap(1535, 1) & TABLE_EVENT.freedTable).toBe(0);
    tables.map(1030, 5, 1, 3);
    expect(tables.unmap(1024, 512)).toBe(TABLE_EVENT.freedTable | TABLE_EVENT.missing);
    tables.map(1024, 512, 512, 3);
    expect(translate(tables, 1025)).toEqual({ out: 513, level: 1, bits: 0x83 });
    expect(tables.unmap(1024, 512) & TABLE_EVENT.freedTable).toBe(0);
  });

  test('a large leaf takes the place of an empty table, and says so', () => {
    const tables = new PageTables(new TablePool(), vtdSecondStage(4));
    tables.map(1024, 5, 1, 3);
    tables.unmap(1024, 1);
    expect(tables.map(1024, 2048, 512, 3)).toBe(TABLE_EVENT.freedTable);
    expect(tables.map(1024, 2048, 512, 3)).toBe(TABLE_EVENT.overlap);
  });

  test('an unmap that starts inside a leaf stops; one that ends inside takes it whole', () => {
    const tables = new PageTables(new TablePool(), vtdSecondStage(4));
    tables.map(0, 0, 1024, 3);
    expect(tables.unmap(3, 100)).toBe(TABLE_EVENT.split);
    expect(tables.removed).toBe(0);
    tables.unmap(512, 1);
    expect(tables.removed).toBe(512);
    expect(tables.pages).toBe(512);
  });

  test('1 GiB leaves only where the format has them', () => {
    const gigabyte = 512 * 512;
    const all = new PageTables(new TablePool(), vtdSecondStage(4));
    all.map(gigabyte, 0, gigabyte, 3);
    expect(translate(all, gigabyte + 99)).toEqual({ out: 99, level: 2, bits: 0x83 });
    const small = new PageTables(new TablePool(), vtdSecondStage(4, 0b011));
    small.map(gigabyte, 0, gigabyte, 3);
    expect(translate(small, gigabyte + 99)).toEqual({ out: 99, level: 1, bits: 0x83 });
    expect(small.unmap(gigabyte, gigabyte)).toBe(TABLE_EVENT.freedTable);
  });

  test('a pool has a limit', () => {
    const tables = new PageTables(new TablePool({ limit: 100 }), vtdSecondStage(4));
    const fill = (): void => {
      for (let i = 0; i < 200; i++) tables.map(i * 512, i, 1, 3);
    };
    expect(fill).toThrow(IorrError);
    expect(fill).toThrow('more than 100 page tables');
  });
});
