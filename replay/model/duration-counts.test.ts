import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DurationCounts } from './duration-counts.ts';

test('quantiles are those of the list with each duration as often as its weight', () => {
  const entry = fc.tuple(
    fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
    fc.integer({ min: 1, max: 5 }),
  );
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 1, maxLength: 3000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (list, share) => {
        const counts = new DurationCounts();
        for (const [ns, weight] of list) counts.add(ns, weight);
        const all = list.flatMap(([ns, weight]) => Array.from({ length: weight }, () => ns)).sort((a, b) => a - b);
        expect(counts.quantiles([share])).toEqual([all[Math.max(1, Math.ceil(share * all.length)) - 1]]);
      },
    ),
    { numRuns: 50 },
  );
  expect(new DurationCounts().quantiles([0.5, 1])).toEqual([0, 0]);
});
