import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findCheapest, smaller } from './search.ts';
import type { SearchOutcome, SearchProblem } from './search.ts';

interface Found {
  readonly outcome: SearchOutcome;
  readonly measured: number;
}

/** Looks for the least cost of scores that reach a limit. */
async function find(
  lengths: readonly number[],
  score: (indexes: readonly number[]) => number,
  limit: number,
  options: Partial<SearchProblem> & { readonly claim?: boolean } = {},
): Promise<Found> {
  let measured = 0;
  const outcome = await findCheapest({
    axes: lengths.map((length, i) => ({ name: `axis ${i}`, length, monotone: options.claim ?? true })),
    cost: (indexes) => indexes.reduce((sum, index) => sum + index, 0),
    measure: (settings) => {
      measured += settings.length;
      return Promise.resolve(
        settings.map((indexes) => ({ indexes, holds: score(indexes) >= limit, scores: [score(indexes)] })),
      );
    },
    together: false,
    most: 10_000,
    ...options,
  });
  return { outcome, measured };
}

function brute(lengths: readonly number[], score: (indexes: readonly number[]) => number, limit: number): number {
  let best = Number.POSITIVE_INFINITY;
  const visit = (indexes: readonly number[]): void => {
    if (indexes.length < lengths.length) {
      for (let i = 0; i < lengths[indexes.length]!; i++) visit([...indexes, i]);
      return;
    }
    if (score(indexes) >= limit)
      best = Math.min(
        best,
        indexes.reduce((sum, index) => sum + index, 0),
      );
  };
  visit([]);
  return best;
}

describe('the cheapest setting', () => {
  test('is found by bisection where scores grow', async () => {
    const { outcome, measured } = await find([1000], ([x]) => x ?? 0, 617);
    expect(outcome.answer?.indexes).toEqual([617]);
    expect(outcome.method).toBe('bisection');
    expect(measured).toBeLessThan(15);
    // the next smaller one is among what was measured, and fails
    expect(outcome.evaluated.find(({ indexes }) => indexes[0] === 616)?.holds).toBe(false);
  });

  test('is that of measuring all, for any monotone scores of up to three axes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 3 }),
        fc.integer({ min: 0, max: 60 }),
        async (lengths, weights, limit) => {
          const score = (indexes: readonly number[]): number =>
            indexes.reduce((sum, index, i) => sum + index * weights[i]!, 0);
          const { outcome } = await find(lengths, score, limit);
          expect(outcome.refuted).toEqual([]);
          const least = outcome.answer?.indexes.reduce((sum, index) => sum + index, 0) ?? Number.POSITIVE_INFINITY;
          expect(least).toBe(brute(lengths, score, limit));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('is found by measuring all where what was seen refutes the claim', async () => {
    // Belady's anomaly: more is worse between 3 and 9
    const score = ([x = 0]: readonly number[]): number => (x >= 3 && x < 10 ? 10 - x : x);
    const { outcome, measured } = await find([16], score, 7);
    expect(outcome.refuted).toEqual(['axis 0']);
    expect(outcome.method).toBe('sweep');
    expect(outcome.answer?.indexes).toEqual([3]);
    expect(measured).toBe(16);
  });

  test('is found by measuring all where nothing is claimed, and at once where that is as cheap', async () => {
    const score = ([x = 0]: readonly number[]): number => (x === 2 || x === 5 ? 1 : 0);
    expect((await find([8], score, 1, { claim: false })).outcome).toMatchObject({
      method: 'sweep',
      answer: { indexes: [2] },
    });
    expect((await find([8], score, 1, { together: true })).outcome).toMatchObject({
      method: 'one pass',
      answer: { indexes: [2] },
    });
  });

  test('is none where the largest fails, which is all that has to be measured', async () => {
    const { outcome, measured } = await find([1000], ([x]) => x ?? 0, 5000);
    expect(outcome.answer).toBeNull();
    expect(measured).toBe(1);
  });

  test('of more settings than may be measured is refused', async () => {
    await expect(find([200, 200], () => 1, 1, { claim: false })).rejects.toThrow(/40000 settings to measure/);
  });
});

test('smaller settings have one step less of one axis', () => {
  expect(smaller([2, 0, 1])).toEqual([
    [1, 0, 1],
    [2, 0, 0],
  ]);
});
