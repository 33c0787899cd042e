import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alignBatches } from './batch-alignment.ts';
import type { BatchSides } from './batch-alignment.ts';

interface Steps {
  agreed: number;
  union: number;
  swapped: number;
  altered: number;
  missing: number[];
  extra: number[];
}

/** Aligns two lists of numbers; `sums` lets several predictions stand for their sum. */
function align(predicted: readonly number[], recorded: readonly number[], more: Partial<BatchSides> = {}): Steps {
  const steps: Steps = { agreed: 0, union: 0, swapped: 0, altered: 0, missing: [], extra: [] };
  const seenPredicted: number[] = [];
  const seenRecorded: number[] = [];
  alignBatches(
    {
      predicted: predicted.length,
      recorded: recorded.length,
      matches: (p, r) => predicted[p] === recorded[r],
      hasChoice: () => true,
      expectedExtra: () => false,
      expectedMissing: () => false,
      swappable: () => false,
      unions: () => undefined,
      ...more,
    },
    {
      agreed: (p, r) => {
        steps.agreed++;
        seenPredicted.push(p);
        seenRecorded.push(r);
        expect(predicted[p]).toBe(recorded[r]);
      },
      union: (p, n, r, m) => {
        steps.union++;
        for (let i = 0; i < n; i++) seenPredicted.push(p + i);
        for (let i = 0; i < m; i++) seenRecorded.push(r + i);
      },
      swapped: (p, r) => {
        steps.swapped++;
        seenPredicted.push(p, p + 1);
        seenRecorded.push(r, r + 1);
      },
      altered: (p, r) => {
        steps.altered++;
        seenPredicted.push(p);
        seenRecorded.push(r);
      },
      missing: (p) => {
        steps.missing.push(p);
        seenPredicted.push(p);
      },
      extra: (r) => {
        steps.extra.push(r);
        seenRecorded.push(r);
      },
    },
  );
  // each of both sides once, in order
  expect(seenPredicted).toEqual(predicted.map((_, i) => i));
  expect(seenRecorded).toEqual(recorded.map((_, i) => i));
  return steps;
}

/** Longest common subsequence, the slow way. */
function common(a: readonly number[], b: readonly number[]): number {
  let row = b.map(() => 0);
  for (const x of a) {
    const next: number[] = [];
    b.forEach((y, j) => {
      next.push(x === y ? (row[j - 1] ?? 0) + 1 : Math.max(row[j] ?? 0, next[j - 1] ?? 0));
    });
    row = next;
  }
  return row.at(-1) ?? 0;
}

const list = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 40 });

describe('alignment', () => {
  test('what is equal is a straight walk, however long', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => i % 7);
    expect(align(many, many).agreed).toBe(20_000);
  });

  test('one that is missing, one too many, one that differs', () => {
    const all = Array.from({ length: 100 }, (_, i) => i);
    expect(align(all, all.toSpliced(40, 1)).missing).toEqual([40]);
    expect(align(all, all.toSpliced(40, 0, 999)).extra).toEqual([40]);
    expect(align(all, all.with(40, 999))).toMatchObject({ altered: 1, agreed: 99 });
  });

  test('as little as possible is left over: no fewer agree than in the longest common subsequence less what is altered', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const { agreed, altered, missing, extra } = align(a, b);
        const best = common(a, b);
        const cost = missing.length + extra.length + 1.5 * altered;
        expect(cost).toBeLessThanOrEqual(a.length + b.length - 2 * best);
        expect(agreed).toBeLessThanOrEqual(best);
      }),
      { numRuns: 2000 },
    );
    // a path that pays for two altered ones gets ahead of the cheaper one while that has a difference to pay
    expect(align([2, 0, 3, 2], [3, 3, 3, 2, 3, 4, 2])).toMatchObject({ agreed: 3, altered: 0 });
  });

  test('a lower cost than any single step: two that changed places, several flushed as one, an extra that was expected', () => {
    expect(align([1, 2, 3, 4], [1, 3, 2, 4], { swappable: () => true })).toMatchObject({ swapped: 1, agreed: 2 });
    expect(align([1, 2, 3, 4], [1, 3, 2, 4]).swapped).toBe(0);
    const predicted = [9, 1, 1, 1, 9, 9];
    const recorded = [9, 1, 9, 9];
    // the first 1 alone agrees too, but leaves two over
    const unions: BatchSides['unions'] = (p, r, found) => {
      if (p === 1 && recorded[r] === 1) found(3, 1);
    };
    expect(align(predicted, recorded, { unions })).toMatchObject({ union: 1, agreed: 3, missing: [] });
    expect(align([1, 2], [1, 7, 2], { expectedExtra: (r) => r === 1 })).toMatchObject({ agreed: 2, extra: [1] });
    expect(align([1, 7, 2], [1, 2], { expectedMissing: (p) => p === 1 })).toMatchObject({ agreed: 2, missing: [1] });
  });

  test('sides that have nothing in common take bounded time, and what agrees behind them is found', () => {
    const a = Array.from({ length: 3000 }, (_, i) => i);
    const b = Array.from({ length: 3000 }, (_, i) => 10_000 + i);
    const tail = Array.from({ length: 500 }, (_, i) => 50_000 + i);
    // where the search gave up it may be off by a few
    expect(align([...a, ...tail], [...b, ...tail]).agreed).toBeGreaterThan(490);
  });
});
