import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeriesBuilder } from './time-series.ts';
import type { SeriesTotals } from './time-series.ts';

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

test('at most 500 bins, in which every count is where its time is', () => {
  const step = fc.tuple(
    fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 10_000_000 })),
    fc.integer({ min: 0, max: 4 }),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 400 }), fc.nat(1e12), (steps, start) => {
      const series = new SeriesBuilder();
      const totals: SeriesTotals = { commands: 0, syncs: 0, lookups: 0, hits: 0, peakExposed: 0 };
      const events: (readonly [number, number])[] = [];
      let time = start;
      for (const [gap, count] of steps) {
        time += gap;
        if (time >= series.binEnd) {
          series.advance(time, totals);
          totals.peakExposed = 0;
        }
        totals.lookups += count;
        totals.peakExposed = Math.max(totals.peakExposed, count);
        events.push([time, count]);
      }
      const result = series.finish(totals);
      expect(result.lookups.length).toBeLessThanOrEqual(500);
      for (const values of [result.commands, result.syncs, result.hits, result.exposedPages]) {
        expect(values.length).toBe(result.lookups.length);
      }
      expect(sum(result.lookups)).toBe(totals.lookups);
      const expected = result.lookups.map(() => 0);
      for (const [at, count] of events) expected[Math.floor((at - result.startNs) / result.binNs)]! += count;
      expect(result.lookups).toEqual(expected);
      expect(Math.max(...result.exposedPages)).toBe(Math.max(...events.map(([, count]) => count)));
    }),
    { numRuns: 100 },
  );
});

test('no events, no bins', () => {
  const none: SeriesTotals = { commands: 0, syncs: 0, lookups: 0, hits: 0, peakExposed: 0 };
  expect(new SeriesBuilder().finish(none).lookups).toEqual([]);
});
