import { describe, expect, test } from 'vitest';
import { genericServer } from '../replay/costs/generic-server.ts';
import { compareDirty } from '../replay/dirty/compare-dirty.ts';
import { vtdServer } from '../replay/hardware/vtd-server.ts';
import { simulatedTrace } from './simulated-trace.ts';

const full = process.env['IORR_FULL'] === '1';
/** Of 64 GiB the whole run takes minutes. */
const SETTINGS = full ? ['memory=65536'] : ['memory=1024', 'events=60k'];

async function compared(workload: string, settings: readonly string[], checks: number) {
  return compareDirty(simulatedTrace(workload, settings), {
    methods: 'ad-bits@4k,write-protect,pri-log,pri-log@64k,pri-log@2m',
    tables: 'auto',
    threads: [1],
    hardware: vtdServer,
    profile: genericServer,
    linkBytesPerSecond: 1.25e9,
    downtimeLimitNs: 300e6,
    planBytes: 0,
    parameters: new Map([['crossover.checks', checks]]),
    seed: 1,
  });
}

test('where mappings come and go, the formula at other rates of writing is what a run gives', async () => {
  const result = await compared('nvme', ['events=60k'], 2);
  expect(result!.methods[0]!.unmapHarvests).toBeGreaterThan(1000);
  for (const { formulaNs, runNs } of result!.crossover!.checks) {
    expect(Math.abs(formulaNs / runNs - 1)).toBeLessThan(0.05);
  }
});

describe(`page requests against dirty bits in a virtual machine, ${SETTINGS.join(', ')}`, async () => {
  const result = await compared('vm', SETTINGS, full ? 4 : 2);
  const crossover = result!.crossover!;

  test('the formula at other rates of writing is what a run gives', () => {
    expect(crossover.checks).toHaveLength(5 * (full ? 4 : 2));
    for (const { formulaNs, runNs } of crossover.checks) expect(Math.abs(formulaNs / runNs - 1)).toBeLessThan(0.05);
  });

  test('page requests win where little is written, and stand longer latencies there', () => {
    const found = crossover.maps[0]!.boundaries.find(
      ({ method, against }) => method === 'pri-log@4k' && against === 'ad-bits@4k',
    )!;
    expect(found.wins).toBe('below');
    const limits = found.latencyNs.flatMap((ns) => ns ?? []);
    expect(limits.length).toBeGreaterThan(5);
    for (const [i, ns] of limits.entries()) if (i > 0) expect(ns).toBeLessThan(limits[i - 1]!);
  });

  test('no write is missed, and larger blocks need fewer requests', () => {
    const logged = result!.methods.filter(({ pri }) => pri !== null);
    for (const { missed, tracking } of logged) {
      expect(missed).toBe(0);
      expect(tracking.responses).toBe(tracking.requests);
    }
    const [small, middle, large] = logged.map(({ tracking }) => tracking.requests);
    expect(middle).toBeLessThan(small!);
    expect(large).toBeLessThan(middle!);
  });
});
