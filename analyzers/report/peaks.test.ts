import fc from 'fast-check';
import { expect, test } from 'vitest';
import { peaksOf } from './peaks.ts';

test('keeps the lowest and the highest of each part, in order, and few enough', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 500 }),
      fc.integer({ min: 2, max: 60 }),
      (values, most) => {
        const points = values.map((value, i) => [i * 3, value] as const);
        const kept = peaksOf(points, most);
        expect(kept.length).toBeLessThanOrEqual(Math.max(most, points.length <= most ? points.length : 0));
        expect(kept.map(([x]) => x)).toEqual(kept.map(([x]) => x).toSorted((a, b) => a - b));
        for (const point of kept) expect(points).toContain(point);
        const [high, low] = [Math.max(...values), Math.min(...values)];
        if (values.length > 0)
          expect([Math.max(...kept.map(([, y]) => y)), Math.min(...kept.map(([, y]) => y))]).toEqual([high, low]);
      },
    ),
  );
});

test('few points are left as they are', () => {
  const points = [
    [0, 1],
    [1, 5],
  ] as const;
  expect(peaksOf(points, 2)).toBe(points);
});
