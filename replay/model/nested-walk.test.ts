import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amdV1 } from './formats/amd-v1.ts';
import { armLpae } from './formats/arm-lpae.ts';
import { riscv } from './formats/riscv.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { x8664 } from './formats/x86-64.ts';
import { NestedWalk } from './nested-walk.ts';
import type { NestedWalkOptions } from './nested-walk.ts';
import type { PageTableFormat } from './page-table-format.ts';
import { PageTables } from './page-tables.ts';
import { readDirty } from './table-dirty.ts';
import { TablePool } from './table-pool.ts';
import { WALK } from './table-walk.ts';

/** First-stage tables lie from guest page 0x1000 on. */
const TABLES = 0x1000;

interface Nest {
  readonly stage1: PageTables;
  readonly stage2: PageTables;
  readonly walk: NestedWalk;
}

/** Guest page 0x77 behind input page 5, and the second stage maps guest page g to g + 0x100000 in granules. */
function nest(first: PageTableFormat, second: PageTableFormat, options: NestedWalkOptions = {}): Nest {
  const stage1 = new PageTables(new TablePool({ basePage: TABLES }), first);
  const stage2 = new PageTables(new TablePool(), second);
  const granule1 = 2 ** (first.granuleShift - 12);
  stage1.map(5 * granule1, 0x70 * granule1, granule1, 3);
  const step = 2 ** (second.granuleShift - 12);
  for (let page = 0; page < TABLES + 0x400; page += step) stage2.map(page, page + 0x100000, step, 3);
  return { stage1, stage2, walk: new NestedWalk(stage1, stage2, options) };
}

function dirtyPages(tables: PageTables): number[] {
  const found: number[] = [];
  readDirty(tables, 0, TABLES + 0x400, false, (page) => found.push(page));
  return found;
}

describe('reads of a nested walk', () => {
  const pairs: [string, PageTableFormat, PageTableFormat][] = [
    ['VT-d first stage through second stage', x8664(4), vtdSecondStage(4)],
    ['VT-d, 5 levels each', x8664(5), vtdSecondStage(5)],
    ['VT-d, 4 through 3', x8664(4), vtdSecondStage(3)],
    ['AMD v2 through v1', x8664(4, { signExtended: false }), amdV1()],
    ['Arm, 4 KiB granules', armLpae({ stage: 1, granuleShift: 12 }), armLpae({ stage: 2, granuleShift: 12 })],
    ['Arm, 64 through 16 KiB', armLpae({ stage: 1, granuleShift: 16 }), armLpae({ stage: 2, granuleShift: 14 })],
    ['RISC-V Sv48 through Sv39', riscv(4), riscv(3)],
  ];
  test.each(pairs)('%s: (n + 1)(m + 1) - 1', (_, first, second) => {
    const { walk } = nest(first, second);
    expect(walk.read(5 * 2 ** (first.granuleShift - 12), 0, 1)).toBe(WALK.mapped);
    expect(walk.reads).toBe((first.levels + 1) * (second.levels + 1) - 1);
    expect(walk.reads1).toBe(first.levels);
    expect([walk.guestLo, walk.outLo]).toEqual([
      0x70 * 2 ** (first.granuleShift - 12),
      0x100000 + 0x70 * 2 ** (first.granuleShift - 12),
    ]);
    expect(walk.leafShift).toBe(Math.min(first.granuleShift, second.granuleShift));
  });

  test('4 levels through 4 levels read 24 entries', () => {
    const { walk } = nest(x8664(4), vtdSecondStage(4));
    walk.read(5, 0, 3);
    expect(walk.reads).toBe(24);
  });

  test('walk caches: n first-stage levels left and m second-stage levels left', () => {
    const { walk } = nest(x8664(4), vtdSecondStage(4));
    for (let from1 = 0; from1 < 4; from1++) {
      for (let from2 = 0; from2 < 4; from2++) {
        walk.read(5, 0, 1, from1, from2);
        const [n, m] = [from1 + 1, from2 + 1];
        // the address of the table that a cached pointer names is final
        expect(walk.reads).toBe(from1 === 3 ? (n + 1) * (m + 1) - 1 : n * (m + 1));
      }
    }
  });

  test('large leaves save reads in both stages', () => {
    const stage1 = new PageTables(new TablePool({ basePage: TABLES }), x8664(4));
    const stage2 = new PageTables(new TablePool(), vtdSecondStage(4));
    stage1.map(0, 512, 512, 3);
    stage2.map(0, 2 ** 18, 2 ** 18, 3);
    const walk = new NestedWalk(stage1, stage2);
    expect(walk.read(9, 0, 1)).toBe(WALK.mapped);
    expect(walk.reads).toBe((3 + 1) * (2 + 1) - 1);
    expect([walk.guestShift, walk.leafShift, walk.outLo]).toEqual([21, 21, 2 ** 18 + 512 + 9]);
  });
});

describe('faults of a nested walk', () => {
  test('at the first stage, after the reads that it took to see it', () => {
    const { walk } = nest(x8664(4), vtdSecondStage(4));
    expect([walk.read(6, 0, 1), walk.fault, walk.reads]).toEqual([WALK.missing, 'stage-1', 20]);
    expect([walk.read(2 ** 18, 0, 1), walk.fault, walk.reads]).toEqual([WALK.missing, 'stage-1', 10]);
    expect([walk.read(0, 1 << 4, 1), walk.fault, walk.reads]).toEqual([WALK.outside, 'stage-1', 0]);
  });

  test('at the second stage, on a table and on the output', () => {
    const { stage1, stage2, walk } = nest(x8664(4), vtdSecondStage(4));
    stage2.unmap(0x70, 1);
    expect([walk.read(5, 0, 1), walk.fault, walk.reads]).toEqual([WALK.missing, 'stage-2', 24]);
    stage2.unmap(TABLES + stage1.root, 1);
    expect([walk.read(5, 0, 1), walk.fault, walk.reads]).toEqual([WALK.missing, 'stage-2-table', 4]);
  });

  test('permissions of both stages are combined', () => {
    const { stage1, stage2, walk } = nest(x8664(4), vtdSecondStage(4));
    stage1.map(6, 0x71, 1, 1);
    stage2.map(0x70, 0x100070, 1, 1);
    expect([walk.read(5, 0, 1), walk.permission]).toEqual([WALK.mapped, 1]);
    expect([walk.read(5, 0, 2), walk.fault]).toEqual([WALK.permission, 'stage-2']);
    expect([walk.read(6, 0, 1), walk.permission]).toEqual([WALK.mapped, 1]);
    expect([walk.read(6, 0, 2), walk.fault]).toEqual([WALK.permission, 'stage-1']);
  });

  test('a table that forbids writes forbids them to all below', () => {
    const { stage1, walk } = nest(x8664(4), vtdSecondStage(4));
    const slot = stage1.slotOf(stage1.root, 3, 5);
    stage1.pool.words[slot]! &= ~0b10;
    expect([walk.read(5, 0, 1), walk.permission]).toEqual([WALK.mapped, 1]);
    expect(walk.read(5, 0, 2)).toBe(WALK.permission);
  });
});

describe('accessed and dirty flags of a nested walk', () => {
  test('a flag set in a first-stage table dirties the page of that table', () => {
    const { stage1, stage2, walk } = nest(x8664(4, { preset: false }), vtdSecondStage(4), {
      flags1: true,
      flags2: true,
    });
    const path = [1, 2, 3, 4].map((frame) => TABLES + frame);
    expect(stage1.pool.frames).toBe(4);
    walk.read(5, 0, 1);
    expect(dirtyPages(stage2)).toEqual(path);
    readDirty(stage2, 0, TABLES + 0x400, true, () => undefined);
    walk.read(5, 0, 1);
    expect([walk.updates, dirtyPages(stage2)]).toEqual([0, []]);
    // a write sets D in the first stage's leaf, so that its table and the page itself are written
    walk.read(5, 0, 2);
    expect(dirtyPages(stage2)).toEqual([0x70, TABLES + 4]);
  });

  test('Linux presets them: only the page itself is written', () => {
    const { stage2, walk } = nest(x8664(4), vtdSecondStage(4), { flags1: true, flags2: true });
    walk.read(5, 0, 2);
    expect(dirtyPages(stage2)).toEqual([0x70]);
  });

  test('where each table read counts as a write, all tables are written', () => {
    const { stage2, walk } = nest(x8664(4), vtdSecondStage(4), { flags2: true, tablesWritten: true });
    walk.read(5, 0, 1);
    expect(dirtyPages(stage2)).toEqual([1, 2, 3, 4].map((frame) => TABLES + frame));
  });

  test('a flag that the second stage does not let be set is a fault', () => {
    const { stage1, stage2, walk } = nest(x8664(4, { preset: false }), vtdSecondStage(4), { flags1: true });
    stage2.map(TABLES + stage1.root, 0x100000, 1, 1);
    expect([walk.read(5, 0, 1), walk.fault]).toEqual([WALK.permission, 'stage-2-table']);
  });

  test('Arm: the write protection of both stages is lifted', () => {
    const tracked = { granuleShift: 12, hardwareDirty: true } as const;
    const first = armLpae({ ...tracked, stage: 1 });
    const { stage1, stage2, walk } = nest(first, armLpae({ ...tracked, stage: 2 }), { flags1: true, flags2: true });
    for (const tables of [stage1, stage2]) readDirty(tables, 5, 1, true, () => undefined);
    for (let page = 0; page < TABLES + 0x400; page++) readDirty(stage2, page, 1, true, () => undefined);
    expect(walk.read(5, 0, 1)).toBe(WALK.mapped);
    expect(dirtyPages(stage2)).toEqual([]);
    walk.read(5, 0, 2);
    const leafTable = TABLES + 4;
    expect(dirtyPages(stage2)).toEqual([0x70, leafTable]);
    const found: number[] = [];
    readDirty(stage1, 5, 1, false, (page) => found.push(page));
    expect(found).toEqual([5]);
  });
});

test('a nested walk maps what two translations in a row do', () => {
  const page = fc.nat(600);
  const mapping = fc.record({
    page,
    out: page,
    count: fc.integer({ min: 1, max: 520 }),
    prot: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(mapping, { maxLength: 4 }), fc.array(mapping, { maxLength: 4 }), (maps1, maps2) => {
      const stage1 = new PageTables(new TablePool({ basePage: TABLES }), x8664(4));
      const stage2 = new PageTables(new TablePool(), vtdSecondStage(4));
      for (const map of maps1) stage1.map(map.page, map.out, map.count, map.prot);
      for (const map of maps2) stage2.map(map.page, map.out + 9, map.count, map.prot);
      stage2.map(TABLES, 0x9000, 0x400, 3);
      const walk = new NestedWalk(stage1, stage2);
      for (let at = 0; at < 1200; at += 7) {
        let expected = -1;
        if (stage1.translate(at, 0) >= 0) {
          const allowed = stage1.permission();
          if (stage2.translate(stage1.outLo, stage1.outHi) >= 0 && (allowed & stage2.permission() & 1) !== 0)
            expected = stage2.outLo;
        }
        expect(walk.read(at, 0, 1) === WALK.mapped ? walk.outLo : -1).toBe(expected);
      }
    }),
    { numRuns: 20 },
  );
});
