import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DesignRow } from './comparison.ts';
import { makeDesign } from './fixtures/results.ts';
import { paretoFront } from './pareto.ts';

function rowsOf(points: readonly (readonly [cpuNs: number, pageSeconds: number])[]): DesignRow[] {
  const base = makeDesign({ name: 'x', seed: 1, batch: 4, hitRate: 0.5, middle: 20, pageSeconds: 1 });
  return points.map(([cpuNs, pageSeconds], number) => {
    const { exposure } = base;
    if (exposure === null) throw new Error('the fixture has exposure');
    const design = { ...base, cpuNs, exposure: { ...exposure, pageSeconds } };
    return { label: `d${number}`, number, recorded: false, design };
  });
}

const names = (rows: readonly DesignRow[]) => rows.map(({ label }) => label);

test('what no other beats, from cheap to dear', () => {
  expect(
    names(
      paretoFront(
        rowsOf([
          [5, 1],
          [1, 5],
          [3, 3],
          [4, 4],
          [5, 5],
        ]),
      ),
    ),
  ).toEqual(['d1', 'd2', 'd0']);
  // the same point twice is no reason to leave either out
  expect(
    names(
      paretoFront(
        rowsOf([
          [1, 1],
          [1, 1],
          [1, 2],
        ]),
      ),
    ),
  ).toEqual(['d0', 'd1']);
  const [one] = rowsOf([[1, 1]]);
  if (one === undefined) throw new Error('no row');
  expect(paretoFront([{ ...one, design: { ...one.design, exposure: null } }])).toEqual([]);
});

test('every other row is beaten by one on the front, and none on it by any', () => {
  const point = fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }));
  fc.assert(
    fc.property(fc.array(point, { minLength: 1, maxLength: 20 }), (points) => {
      const rows = rowsOf(points);
      const front = new Set(names(paretoFront(rows)));
      expect(front.size).toBeGreaterThan(0);
      const beats = (a: readonly [number, number], b: readonly [number, number]) =>
        a[0] <= b[0] && a[1] <= b[1] && (a[0] < b[0] || a[1] < b[1]);
      points.forEach((mine, i) => {
        const beaten = points.some((other) => beats(other, mine));
        expect(front.has(`d${i}`)).toBe(!beaten);
      });
    }),
  );
});
