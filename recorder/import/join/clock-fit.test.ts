import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createClockMapper, fitClock, residuals } from './clock-fit.ts';

/** Pairs of a host clock that is `offset` ahead and drifts by `ppm`: one each `everyUs`, delayed by `delay(i)` ns. */
function pairs(n: number, everyUs: number, offset: number, ppm: number, delay: (i: number) => number) {
  const guest = Float64Array.from({ length: n }, (_, i) => (i + 1) * everyUs * 1000);
  const truth = (g: number): number => g + offset + (g * ppm) / 1e6;
  const host = Float64Array.from(guest, (g, i) => Math.round((truth(g) + delay(i)) / 1000) * 1000);
  return { guest, host, truth };
}

/** A small generator with a seed, so that runs are the same. */
function noise(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 0x100000000;
  };
}

describe('fitClock', () => {
  test('finds the lower envelope under drift, delays and stalls', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -5_000_000, max: 5_000_000 }),
        fc.double({ min: -10, max: 10, noNaN: true }),
        fc.integer(),
        (offsetUs, ppm, seed) => {
          const random = noise(seed);
          const delay = (i: number): number => {
            if (i % 97 === 0) return 5_000_000 + random() * 20_000_000;
            return i % 3 === 0 ? random() * 1000 : random() ** 2 * 60_000;
          };
          const { guest, host, truth } = pairs(3000, 3000, offsetUs * 1000, ppm, delay);
          // Times of one log don't decrease; what comes late holds up what follows.
          for (let i = 1; i < host.length; i++) host[i] = Math.max(host[i]!, host[i - 1]!);
          const fit = fitClock(host, guest);
          expect(fit.pieces).toBe(1);
          expect(Math.abs(fit.driftPpm - ppm)).toBeLessThan(1);
          expect(fit.residualNs.min).toBeGreaterThanOrEqual(-1001);
          const toGuest = createClockMapper(fit.map);
          for (let g = 50_000_000; g < 8_950_000_000; g += 100_000_000) {
            expect(Math.abs(toGuest(truth(g)) - g)).toBeLessThan(6_000);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('maps in order: a later host time is never an earlier guest time', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1e7), fc.nat(1e6)), { minLength: 1, maxLength: 200 }), (steps) => {
        let g = 0;
        let h = 5e9;
        const guest: number[] = [];
        const host: number[] = [];
        for (const [step, late] of steps) {
          g += step;
          h = Math.max(h, g + 5e9 + late);
          guest.push(g);
          host.push(h);
        }
        const { map } = fitClock(Float64Array.from(host), Float64Array.from(guest));
        const toGuest = createClockMapper(map);
        let last = Number.NEGATIVE_INFINITY;
        for (let t = host[0]! - 1e6; t < h + 1e6; t += 7e5) {
          const at = toGuest(t);
          expect(at).toBeGreaterThanOrEqual(last);
          last = at;
        }
      }),
    );
  });

  test('a clock that was set in between makes another piece', () => {
    const { guest, host } = pairs(2000, 1000, 1e9, 0, (i) => (i % 5) * 2000);
    for (let i = 1000; i < 2000; i++) host[i] = host[i]! + 40_000_000;
    const fit = fitClock(host, guest);
    expect(fit.pieces).toBe(2);
    expect(fit.residualNs.max).toBeLessThan(10_000);
  });

  test('the clock of an early boot does not bend the rest', () => {
    // Three stamps of 8 ms steps, then the clock jumps by 110 ms and runs.
    const { guest, host } = pairs(500, 2000, 3e9, 3, (i) => (i % 4) * 1000);
    const early = Float64Array.of(8_000_000, 8_000_000, 8_000_000);
    const earlyHost = Float64Array.of(2_898_000_000, 2_898_400_000, 2_898_900_000);
    const shifted = guest.map((g) => g + 1_000_000_000);
    const later = host.map((h) => h + 1_000_000_000);
    const fit = fitClock(Float64Array.of(...earlyHost, ...later), Float64Array.of(...early, ...shifted));
    expect(fit.pieces).toBe(2);
    expect(fit.residualNs.median).toBeLessThan(4000);
    const toGuest = createClockMapper(fit.map);
    expect(toGuest(later[400]!) - shifted[400]!).toBeLessThan(5000);
  });

  test('late commands at the end are late, not a clock that was set', () => {
    const { guest, host } = pairs(200, 1000, 1e9, 0, (i) => (i >= 197 ? 30_000_000 : 1000));
    const fit = fitClock(host, guest);
    expect(fit.pieces).toBe(1);
    expect(fit.residualNs.max).toBeGreaterThan(29_000_000);
  });

  test('a wrong pair does not pull the envelope down', () => {
    const { guest, host } = pairs(1000, 1000, 1e9, 0, (i) => 2000 + (i % 7) * 3000);
    host[500] = host[500]! - 250_000;
    const fit = fitClock(host, guest);
    expect(fit.residualNs.median).toBeLessThan(15_000);
    expect(fit.residualNs.min).toBeLessThan(-200_000);
  });

  test('one pair gives an offset, none is an error', () => {
    const one = fitClock(Float64Array.of(5000), Float64Array.of(2000));
    expect(createClockMapper(one.map)(9000)).toBe(6000);
    expect(residuals(one.map, Float64Array.of(9000), Float64Array.of(5000))).toMatchObject({ min: 1000, max: 1000 });
    expect(() => fitClock(new Float64Array(0), new Float64Array(0))).toThrow(RangeError);
  });
});
