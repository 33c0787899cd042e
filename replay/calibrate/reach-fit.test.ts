import { describe, expect, test } from 'vitest';
import { fitReach } from './reach-fit.ts';
import type { ReachPoint } from './reach-curve.ts';
import { expectedLatency, simulatedLatency, simulatedThroughput } from './reach-model.ts';
import type { ReachMachine } from './reach-model.ts';

const PAGES = [16, 64, 256, 4096];

/** What would be measured on a machine. */
function measured(machine: ReachMachine, off: boolean): ReachPoint[] {
  return PAGES.map((pages) => {
    const offNs = off ? machine.hitNs : undefined;
    const point = { window: pages * 4096, transactionsPerSecond: undefined, averageNs: undefined, offNs };
    return {
      ...point,
      transactionsPerSecond: simulatedThroughput(machine, point, 20_000, 77),
      averageNs: simulatedLatency(machine, point, 20_000, 78),
    };
  });
}

const MACHINE: ReachMachine = {
  geometry: { sets: 1, ways: 48, index: 0, replacement: 3, walkCaches: [16, 4, 4] },
  walkers: 3,
  walkReadNs: 180,
  outstanding: 20,
  inOrder: true,
  requestNs: 0,
  hitNs: 600,
};

describe('fitting a reach curve', () => {
  test('finds the machine that made the curve', async () => {
    const points = measured(MACHINE, true);
    const result = await fitReach({ points, series: 'made' }, { seed: 1, families: ['one-set'] });
    expect(result?.within).toBe(true);
    expect(result?.geometry).toMatchObject({ family: 'one-set', sets: 1, inOrder: true });
    const values = Object.fromEntries(result?.fitted.map(({ name, value }) => [name, value]) ?? []);
    expect(values['iotlb.entries']).toBeGreaterThanOrEqual(46);
    expect(values['iotlb.entries']).toBeLessThanOrEqual(50);
    expect(values['walkers']).toBe(3);
    expect(values['device.outstanding']).toBe(20);
    expect(values['walk.read']).toBeGreaterThan(174);
    expect(values['walk.read']).toBeLessThan(186);
    expect(result?.maxError).toBeLessThan(0.02);
    for (const { interval, value } of result?.fitted ?? []) {
      expect(interval?.[0]).toBeLessThanOrEqual(value);
      expect(interval?.[1]).toBeGreaterThanOrEqual(value);
    }
  });

  test('without times of the IOMMU off four values are fitted still, and it says what follows', async () => {
    const points = measured({ ...MACHINE, inOrder: false }, false);
    const result = await fitReach({ points, series: '' }, { seed: 1, families: ['one-set, any order'] });
    expect(result?.within).toBe(true);
    expect(result?.fitted.map(({ name }) => name)).toEqual(['iotlb.entries', 'walk.read', 'device.hit', 'walkers']);
    expect(result?.given).toEqual([
      { name: 'device.outstanding', value: 20, from: "Little's law: time without a walk by the highest rate" },
    ]);
  });

  test('latencies alone, and rates alone', async () => {
    const points = measured(MACHINE, false);
    const families = ['one-set'];
    const slow = points.map((point) => ({ ...point, transactionsPerSecond: undefined }));
    const latency = await fitReach({ points: slow, series: '' }, { seed: 1, families });
    expect(latency?.fitted.map(({ name }) => name)).toEqual(['iotlb.entries', 'walk.read', 'device.hit']);
    expect(latency?.fitted[0]?.value).toBe(48);
    expect(latency?.maxErrors).toMatchObject({ throughput: 0 });
    expect(latency?.notes.join()).toContain('latencies alone');
    const rates = await fitReach(
      { points: points.map((point) => ({ ...point, averageNs: undefined })), series: '' },
      { seed: 1, families },
    );
    expect(rates?.within).toBe(true);
    expect(rates?.given.map(({ from }) => from)).toContain('assumed: the curve has no latencies');
  });

  test('same seed, same result; an abort gives none; an unknown family is refused', async () => {
    const points = measured(MACHINE, true);
    const options = { seed: 4, families: ['256 entries'] };
    const once = await fitReach({ points, series: '' }, options);
    expect(await fitReach({ points, series: '' }, options)).toEqual(once);
    expect(once?.within).toBe(false);
    const signal = AbortSignal.abort();
    expect(await fitReach({ points, series: '' }, { ...options, signal })).toBeUndefined();
    await expect(fitReach({ points, series: '' }, { seed: 1, families: ['x'] })).rejects.toThrow(/no such family/);
  });

  test('a simulation agrees with what is expected of single reads', () => {
    for (const pages of PAGES) {
      const point = { window: pages * 4096, transactionsPerSecond: undefined, averageNs: undefined, offNs: undefined };
      const share = simulatedLatency(MACHINE, point, 40_000, 9) / expectedLatency(MACHINE, point);
      expect(Math.abs(share - 1)).toBeLessThan(0.006);
    }
  });

  test('a curve that ends before the reach gives a lower bound, and no times of walks', async () => {
    const points = PAGES.map((pages) => ({
      window: pages * 4096,
      transactionsPerSecond: 5e7,
      averageNs: 415,
      offNs: undefined,
    }));
    const result = await fitReach({ points, series: '' }, { seed: 1 });
    expect(result?.within).toBe(true);
    expect(result?.fitted.map(({ name }) => name)).toEqual(['device.hit', 'device.outstanding']);
    expect(result?.given[0]).toEqual({
      name: 'iotlb.entries',
      value: 4096,
      from: 'no window is slower: at least so many',
    });
    expect(result?.notes.join()).toContain('lower bound');
    expect(result?.parameters.find(({ name }) => name === 'walk.read')?.standing).toBe('assumed');
  });
});
