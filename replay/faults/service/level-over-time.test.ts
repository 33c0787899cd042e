import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LevelOverTime } from './level-over-time.ts';
import { RepairedPages } from './repaired-pages.ts';
import { Samples } from './samples.ts';

/** Lengths of time and the level in each. */
const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000_000 }), fc.integer({ min: 0, max: 200 })), {
  minLength: 1,
  maxLength: 300,
});

function play(drawn: readonly (readonly [number, number])[]): { readonly level: LevelOverTime; readonly end: number } {
  const level = new LevelOverTime();
  let now = 7;
  for (const [length, value] of drawn) {
    level.set(now, value);
    now += length;
  }
  level.end(now);
  return { level, end: now };
}

describe('a level over time', () => {
  test('mean and quantiles are weighted by time', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const { level } = play(drawn);
        const total = drawn.reduce((sum, [length]) => sum + length, 0);
        const area = drawn.reduce((sum, [length, value]) => sum + length * value, 0);
        const summary = level.summary();
        expect(summary.mean).toBeCloseTo(total === 0 ? 0 : area / total, 6);
        expect(summary.max).toBe(Math.max(...drawn.map(([, value]) => value)));
        if (total === 0) return;
        const atMost = (value: number): number =>
          drawn.reduce((sum, [length, own]) => sum + (own <= value ? length : 0), 0);
        for (const [share, value] of [
          [0.5, summary.p50],
          [0.95, summary.p95],
          [0.99, summary.p99],
        ] as const) {
          expect(atMost(value)).toBeGreaterThanOrEqual(share * total);
          expect(atMost(value - 1)).toBeLessThan(share * total);
        }
      }),
    );
  });

  test('the parts of a series add up, in at most 400 parts', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const { level, end } = play(drawn);
        const { startNs, binNs, mean, max } = level.series();
        expect(mean.length).toBeLessThanOrEqual(400);
        const area = mean.reduce((sum, one, i) => {
          const from = startNs + i * binNs;
          return sum + one * (Math.min(end, from + binNs) - from);
        }, 0);
        const whole = drawn.reduce((sum, [length, value]) => sum + length * value, 0);
        expect(Math.abs(area - whole)).toBeLessThanOrEqual(1e-9 * whole + 1e-3);
        mean.forEach((one, i) => expect(max[i]).toBeGreaterThanOrEqual(one - 1e-9));
      }),
    );
  });
});

test('samples: exact quantiles, and bars that hold all of them', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 3000 }), (values) => {
      const samples = new Samples(true);
      for (const value of values) samples.add(value);
      const sorted = [...values].sort((a, b) => a - b);
      const at = (share: number): number => sorted[Math.ceil(share * values.length) - 1] ?? -1;
      expect(samples.quantiles()).toMatchObject({ count: values.length, p50: at(0.5), p99: at(0.99), max: at(1) });
      const bars = samples.bars();
      expect(bars.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
      bars.forEach(({ fromNs, count }, i) => {
        const to = bars[i + 1]?.fromNs ?? Number.POSITIVE_INFINITY;
        expect(values.filter((value) => value >= fromNs * (1 - 1e-12) && value < to * (1 - 1e-12))).toHaveLength(count);
      });
    }),
    { numRuns: 30 },
  );
});

test('pages that came with others are there once, in each address space', () => {
  const page = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 2 ** 51, max: 2 ** 51 + 40 }));
  const calls = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: -1, max: 3 }), page), { maxLength: 3000 });
  fc.assert(
    fc.property(calls, (drawn) => {
      const pages = new RepairedPages();
      const model = new Set<string>();
      for (const [add, space, number] of drawn) {
        const key = `${space} ${number}`;
        if (add) expect(pages.add(space, number)).toBe(!model.has(key));
        else expect(pages.take(space, number)).toBe(model.has(key));
        if (add) model.add(key);
        else model.delete(key);
        expect(pages.size).toBe(model.size);
      }
    }),
    { numRuns: 40 },
  );
});

test('many pages stay apart when the table grows', () => {
  const pages = new RepairedPages();
  for (let i = 0; i < 200_000; i++) pages.add(i % 3, i * 33);
  expect(pages.size).toBe(200_000);
  let found = 0;
  for (let i = 0; i < 200_000; i++) if (pages.take(i % 3, i * 33)) found++;
  expect([found, pages.size]).toEqual([200_000, 0]);
});
