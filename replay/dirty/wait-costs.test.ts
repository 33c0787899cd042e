import { describe, expect, test } from 'vitest';
import { costsOf } from '../costs/cost-profile.ts';
import { genericServer } from '../costs/generic-server.ts';
import { noCounts } from './dirty-counts.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import { dirtyParameter } from './dirty-parameters.ts';
import { WaitCosts, throughputLost } from './wait-costs.ts';

const costs = costsOf(genericServer);
const WALK = costs['walk.read'];

function of(
  sets: 'hardware' | 'fault' | 'page-request',
  cpuWrites = false,
  set: Readonly<Record<string, number>> = {},
) {
  return new WaitCosts(costs, dirtyParameter(new Map(Object.entries(set))), sets, cpuWrites);
}

function counted(counts: Partial<DirtyCounts>): DirtyCounts {
  return { ...noCounts(), ...counts };
}

describe('page requests', () => {
  // 100 requests of blocks of 16 leaves, half of them through a translation that was there
  const counts = counted({ faults: 100, updates: 1600, retranslations: 150, walkReads: 900 });

  test('wait for each of their parts, and for walks beyond those of a run without tracking', () => {
    const parts = 100 * (1000 + 2500 + 4480 + 1000) + 1600 * 20 + 150 * 1000;
    const { faultNs, stallNs, hostNs } = of('page-request').waits(counts, 500);
    expect(faultNs).toBe(parts);
    expect(stallNs).toBe(parts + 400 * WALK);
    expect(hostNs).toBe(100 * (2500 + 4480 + 1000) + 1600 * 20);
  });

  test('take as long as the longer of their waits together and their handlers in turn', () => {
    const walks = (900 * WALK) / costs['device.reads'];
    const served = 100 * 5480 + 1600 * 20;
    expect(of('page-request').waits(counts, 0).lostNs).toBe(served + walks);
    const handlers = of('page-request', false, { 'pri.servers': 100, 'pri.outstanding': 2 }).waits(counts, 0);
    expect(handlers.lostNs).toBe(handlers.faultNs / 2 + walks);
  });

  test('of a given latency wait for that, and for other translations', () => {
    expect(of('page-request').waits(counts, 900, 700_000).stallNs).toBe(100 * 700_000);
    const more = { ...counts, retranslations: 230 };
    expect(of('page-request').waits(more, 900, 700_000).stallNs).toBe(100 * 700_000 + 30 * 1000);
    expect(of('page-request', false, { 'pri.latency': 5000 }).waits(counts, 900).stallNs).toBe(500_000);
  });
});

test('faults of processors wait one at a time, and are nobody else’s work', () => {
  const counts = counted({ faults: 100 });
  expect(of('fault', true).waits(counts, 0)).toEqual({ stallNs: 26_000, faultNs: 26_000, lostNs: 26_000, hostNs: 0 });
  // no latency of page requests is theirs
  expect(of('fault', true).waits(counts, 0, 700_000).stallNs).toBe(26_000);
  expect(of('fault').waits(counts, 0)).toMatchObject({ stallNs: 1_000_000, hostNs: 100 * 8000 });
});

test('throughput is lost by the share that writers take longer', () => {
  expect(throughputLost(0, 100)).toBe(0);
  expect(throughputLost(100, 300)).toBe(0.25);
  expect(throughputLost(0, 0)).toBe(0);
});
