import { describe, expect, test } from 'vitest';
import { DIALECT } from '../../traces/schema.ts';
import { DEFAULT_CONTEXT } from './design.ts';
import type { FlushRange } from './domain-flush.ts';
import { flushMix } from './flush-mix.ts';
import { LeafBlocks } from './leaf-blocks.ts';

function range(first: number, last: number, order = 0): FlushRange {
  return { first, last, freedTable: 0, order };
}

describe('the command mix of a batch', () => {
  test('neighbours become one command where that names no more pages', () => {
    const mix = flushMix(
      [range(5, 5), range(4, 4), range(0x10, 0x13), range(0x14, 0x17), range(0x100, 0x100)],
      DEFAULT_CONTEXT,
      16,
    );
    expect(mix?.map(({ first, last }) => [first, last])).toEqual([
      [4, 5],
      [0x10, 0x17],
      [0x100, 0x100],
    ]);
    // 3 and 4 are neighbours, but the aligned cover of both is 8 pages
    expect(flushMix([range(3, 3), range(4, 4)], DEFAULT_CONTEXT, 16)?.length).toBe(2);
    // a command by range names exactly its pages
    const arm = { ...DEFAULT_CONTEXT, dialect: DIALECT.smmuv3 };
    expect(flushMix([range(3, 3), range(4, 4)], arm, 16)?.length).toBe(1);
  });

  test('what would take more commands than a whole flush is worth is no mix', () => {
    const apart = Array.from({ length: 17 }, (_, i) => range(0x100 * i, 0x100 * i));
    expect(flushMix(apart, DEFAULT_CONTEXT, 17)?.length).toBe(17);
    expect(flushMix(apart, DEFAULT_CONTEXT, 16)).toBeUndefined();
    // without range commands each page is one
    const riscv = { ...DEFAULT_CONTEXT, dialect: DIALECT.riscv };
    expect(flushMix([range(0, 16)], riscv, 16)).toBeUndefined();
    expect(flushMix([range(0, 0x1ff, 9)], riscv, 16)?.length).toBe(1);
  });
});

describe('large leaves', () => {
  const cut = (blocks: LeafBlocks, first: number, last: number): number[][] => {
    const ranges: FlushRange[] = [];
    blocks.unmap(1, first, last, 0, ranges);
    return ranges.map((one) => [one.first, one.last, one.order]);
  };

  test('are where both addresses are aligned, and go once', () => {
    const blocks = new LeafBlocks([0, 9, 18]);
    blocks.map(1, 0x1f0, 0x60f, 0x200);
    expect(cut(blocks, 0x1f0, 0x60f)).toEqual([
      [0x1f0, 0x1ff, 0],
      [0x200, 0x3ff, 9],
      [0x400, 0x5ff, 9],
      [0x600, 0x60f, 0],
    ]);
    expect(cut(blocks, 0x200, 0x3ff)).toEqual([[0x200, 0x3ff, 0]]);
    blocks.map(1, 0x200, 0x3ff, 1);
    expect(cut(blocks, 0x200, 0x3ff)).toEqual([[0x200, 0x3ff, 0]]);
    blocks.map(1, 0x40000, 0x7ffff, 0);
    expect(cut(blocks, 0, 2 ** 40)).toEqual([
      [0, 0x3ffff, 0],
      [0x40000, 0x7ffff, 18],
      [0x80000, 2 ** 40, 0],
    ]);
  });
});
