import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BusySeries } from './busy-series.ts';

test('busy time is spread over the bins that it covers', () => {
  const series = new BusySeries();
  series.add(500, 700);
  series.add(1400, 2600);
  expect(series.start).toBe(500);
  expect(series.binNs).toBe(1000);
  expect(series.busyNs).toEqual([200 + 100, 1000, 100]);
  expect(series.shares()).toEqual([0.3, 1, 0.1]);
});

test('bins are joined when they run out, and nothing is lost', () => {
  const intervals = fc.array(fc.tuple(fc.nat(1e9), fc.nat(1e6)), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(intervals, (list) => {
      const series = new BusySeries();
      let now = 0;
      let sum = 0;
      for (const [gap, busy] of list) {
        series.add(now + gap, now + gap + busy);
        now += gap + busy;
        sum += busy;
      }
      expect(series.busyNs.length).toBeLessThanOrEqual(500);
      expect(series.busyNs.reduce((all, ns) => all + ns, 0)).toBe(sum);
      expect(series.shares().every((share) => share >= 0 && share <= 1)).toBe(true);
    }),
    { numRuns: 100 },
  );
});
