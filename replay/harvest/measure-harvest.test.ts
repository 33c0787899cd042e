import { describe, expect, test } from 'vitest';
import { parseProfile, profileText } from '../profile-file.ts';
import { HarvestLanes } from './harvest-lanes.ts';
import { harvestNs } from './harvest-measurement.ts';
import { harvestProfile } from './harvest-profile.ts';
import { measureHarvest } from './measure-harvest.ts';
import { buildSharedTables } from './table-memory.ts';

const SMALL = { format: 'vtd-second-stage-48', leafShift: 12, bytes: 2 ** 28 };

/** Each look at it is a microsecond later. */
function steadyClock(): () => number {
  let ns = 0;
  return () => (ns += 1000);
}

describe('a measurement', () => {
  test('is made of what the clock says, and of nothing else', async () => {
    const rounds: number[] = [];
    const measured = await measureHarvest({
      ...SMALL,
      clock: steadyClock(),
      threads: [2],
      rounds: 3,
      seed: 1,
      reference: (bytes) => bytes * 2e6,
      progress: (done) => rounds.push(done),
    });
    const rate = 2 ** 19 * 1e6;
    expect(rounds).toEqual([1, 2, 3]);
    expect(measured).toMatchObject({ guestBytes: 2 ** 28, tableBytes: 2 ** 19, entries: 65536 });
    expect(measured?.cold.map(({ threads, scaling }) => [threads, scaling.value])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(measured?.cold[1]?.rate).toEqual({ value: rate, interval: [rate, rate], n: 3 });
    expect(measured?.toCopy.value).toBe(1);
    expect(measured?.reference?.ratio.value).toBe(0.5);
    expect(measured?.dirty.map(({ share, leaves, perLeaf }) => [share, leaves, perLeaf.value])).toEqual(
      [0, 0.001, 0.01, 0.1, 1].map((share) => [share, Math.round(65536 * share), 0]),
    );
    expect(measured?.write.value).toBeCloseTo(1000 / 655, 9);
  });

  test('plans other sizes by bytes of table and dirty leaves, and goes into a profile', () => {
    const of = (value: number): { value: number; interval: [number, number]; n: number } => ({
      value,
      interval: [value / 2, value * 2],
      n: 9,
    });
    const measured = {
      format: 'f',
      leafShift: 12,
      guestBytes: 2 ** 36,
      tableBytes: 2 ** 27,
      entries: 2 ** 24,
      rounds: 9,
      cold: [1, 2].map((threads) => ({ threads, rate: of(threads * 1e9), scaling: of(threads) })),
      dirty: [0, 0.01, 1].map((share) => ({ share, leaves: 0, rate: of(1e9), perLeaf: of(share === 0.01 ? 100 : 20) })),
      warm: of(4e9),
      copy: of(5e8),
      toCopy: of(2),
      reference: undefined,
      write: of(50),
    };
    const tib = { tableBytes: 2 ** 31, dirty: 0, threads: 1 };
    expect(harvestNs(measured, tib)).toBeCloseTo(2 ** 31, 3);
    expect(harvestNs(measured, { ...tib, threads: 3 })).toBeCloseTo(2 ** 30, 3);
    expect(harvestNs(measured, { ...tib, dirty: 1e6 })).toBeCloseTo(2 ** 31 + 1e8, 3);
    expect(harvestNs(measured, { ...tib, dirty: 2 ** 28, threads: 2 })).toBeCloseTo(2 ** 30 + 2 ** 27 * 20, 3);
    const { costs } = parseProfile(profileText(harvestProfile('a processor', measured)), 'p.json');
    const values = Object.fromEntries((costs?.dirty ?? []).map(({ name, value }) => [name, value]));
    expect(values).toEqual({ 'dirty.entry': 8, 'dirty.table': 0, 'dirty.clear': 100, 'dirty.bandwidth': 2 });
  });
});

describe('1 TiB in 2 MiB leaves', () => {
  test('is 4 MiB of entries, and every one of them is found dirty, once', async () => {
    const shared = buildSharedTables({ format: 'vtd-second-stage-48', leafShift: 21, bytes: 2 ** 40 });
    expect(shared.leafBytes).toBe(2 ** 22);
    expect(shared.memory.buffer.byteLength).toBeLessThan(2 ** 23);
    const lanes = await HarvestLanes.start(shared, 2);
    const words = new Int32Array(shared.memory.buffer);
    // PS and D of every leaf
    for (let i = 0; i < words.length; i += 2) words[i] = (words[i] ?? 0) | (((words[i] ?? 0) & 0x80) << 2);
    expect(lanes.harvest(2)).toEqual({ leaves: 2 ** 19, cleared: 2 ** 19 });
    expect(lanes.bits.every((word) => word === -1)).toBe(true);
    expect(lanes.harvest(2)).toEqual({ leaves: 0, cleared: 0 });
    await lanes.stop();
  });
});
