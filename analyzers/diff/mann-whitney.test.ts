import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mannWhitney } from './mann-whitney.ts';
import { holm, normalTail, studentQuantile, studentTail } from './tails.ts';

describe('tails of distributions', () => {
  test.each([
    [0, 0.5],
    [1.959964, 0.025],
    [2.999, 0.0013543],
    [4, 3.1671e-5],
    [-1.644854, 0.95],
  ])('of the normal one at %d', (z, p) => {
    expect(normalTail(z) / p).toBeCloseTo(1, 4);
  });

  // tables of Student's distribution
  test.each([
    [12.7062, 1],
    [2.570582, 5],
    [2.228139, 10],
    [2.042272, 30],
    [1.983972, 100],
  ])("2.5 %% of Student's distribution are above %d with %d degrees of freedom", (t, freedom) => {
    expect(studentTail(t, freedom)).toBeCloseTo(0.025, 6);
    expect(studentQuantile(0.975, freedom) / t).toBeCloseTo(1, 5);
  });

  test('what is no number, or rests on nothing, is no evidence', () => {
    expect(studentTail(Number.NaN, 5)).toBe(1);
    expect(studentTail(3, 0)).toBe(1);
  });
});

describe("Mann and Whitney's test", () => {
  test('agrees with an example worked by hand', () => {
    // U of B = 21 of 25 pairs; mean 12.5, variance 5 * 5 * 11 / 12
    const found = mannWhitney([1, 2, 3, 5, 8], [4, 6, 7, 9, 10]);
    expect(found?.delta).toBeCloseTo((2 * 21) / 25 - 1, 12);
    expect(found?.p).toBeCloseTo(2 * normalTail((21 - 12.5 - 0.5) / Math.sqrt((25 * 11) / 12)), 12);
  });

  test('delta is that of all pairs, and turns around with the sides', () => {
    const values = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(values, values, (a, b) => {
        let pairs = 0;
        for (const x of a) for (const y of b) pairs += Math.sign(y - x);
        expect(mannWhitney(a, b)?.delta).toBeCloseTo(pairs / (a.length * b.length), 9);
        expect(mannWhitney(b, a)?.p).toBeCloseTo(mannWhitney(a, b)?.p ?? -1, 9);
      }),
    );
  });

  test('equal samples have no difference; an empty one has no answer', () => {
    expect(mannWhitney([3, 3, 3], [3, 3])).toEqual({ p: 1, delta: 0 });
    expect(mannWhitney([], [1])).toBeNull();
  });
});

test("Holm's adjustment multiplies by what is left and never falls", () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([])).toEqual([]);
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
});
