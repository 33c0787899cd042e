import { describe, expect, test } from 'vitest';
import { vtdPrq } from '../../replay/faults/queues/vtd-prq.ts';
import type { PriRow } from '../../replay/faults/compare-pri.ts';
import type { PriDesign } from '../../replay/faults/pri-design.ts';
import { lossOfMmck } from '../../replay/faults/service/closed-forms.ts';
import { makeArrivals } from '../../replay/faults/service/fault-arrivals.ts';
import type { RecordedFaults } from '../../replay/faults/service/recorded-arrivals.ts';
import { overflowTail, weightedLine } from './overflow-tail.ts';
import type { TailOptions } from './overflow-tail.ts';

const MEAN = 1000;

/** A queue whose entries are held until the answer and whose requests cost nothing but their service: M/M/1/K. */
function design(depth: number, speed: number): PriDesign {
  return {
    queue: {
      ...vtdPrq,
      timing: { ...vtdPrq.timing, freed: 'answered', spare: 0, overflow: 'none', lost: 'none', discards: false },
    },
    depth,
    outstanding: 1 << 16,
    servers: 1,
    service: { name: 'exp', time: { kind: 'exponential', ns: MEAN } },
    batch: 1,
    repairPages: 1,
    prefetch: 0,
    arrivals: { name: 'recorded', kind: 'recorded', value: 0, thinkNs: 0 },
    speed,
  };
}

const FREE: { readonly [name: string]: number } = { 'pri.service': MEAN, 'pri.timeout': 1e9 };
const parameter = (name: string): number => FREE[name] ?? 0;

/** Requests at half the rate of the service. */
function faults(groups: number): RecordedFaults {
  return {
    arrivals: makeArrivals({ groups, devices: 1, perSecond: 5e5, kind: 'poisson', seed: 3 }),
    source: 'queue',
    unit: '',
    otherUnits: 0,
    requests: groups,
    answered: groups,
    refused: 0,
    unanswered: 0,
    partial: 0,
    stopMarkers: 0,
    orphans: 0,
    responseNs: { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 },
    inOrder: true,
    serviceNs: [],
  };
}

/** The curve depends on all but the depth. */
const known: TailOptions['known'] = new Map();
const recording = faults(50_000);

const lossless = { requests: 1000, lostRequests: 0 } as PriRow;

describe('losses that are too rare to simulate', () => {
  test.each([20, 26, 32])('of M/M/1/%i are within the error of the closed form', (depth) => {
    const tail = overflowTail(lossless, {
      faults: recording,
      design: design(depth, 1),
      parameter,
      seed: 1,
      known,
    });
    const exact = lossOfMmck(1, depth, 0.5);
    expect(exact).toBeLessThan(1e-6);
    expect(tail.basis).toBe('fitted');
    expect(tail.upper).toBeGreaterThan(exact);
    // in the worst of these, where the probability is 1e-10, it is 100: seven entries
    expect(tail.upper / exact).toBeLessThan(200);
  });

  test('that are not rare are counted', () => {
    const tail = overflowTail(lossless, {
      faults: recording,
      design: design(4, 1),
      parameter,
      seed: 1,
      known,
    });
    expect(tail.basis).toBe('simulated');
    expect(tail.probability).toBeCloseTo(lossOfMmck(1, 4, 0.5), 2);
  });

  test('of a queue for all that devices may ask can not happen', () => {
    const small = { ...design(33, 1), outstanding: 32 };
    const tail = overflowTail(lossless, { faults: recording, design: small, parameter, seed: 1, known });
    expect([tail.basis, tail.upper]).toEqual(['bounded', 0]);
    expect(tail.how).toBe('1 devices with 32 requests each have 32 under way at most, the queue takes 33');
  });

  test('losses of the run itself count, where they are more', () => {
    const row = { requests: 1000, lostRequests: 100 } as PriRow;
    const tail = overflowTail(row, {
      faults: recording,
      design: design(40, 1),
      parameter,
      seed: 1,
      known,
    });
    expect([tail.basis, tail.probability]).toEqual(['simulated', 0.1]);
  });
});

test('a line through points has no error where they lie on it, beyond that of their weights', () => {
  const line = weightedLine([1, 2, 3].map((x) => ({ x, y: 2 - 3 * x, weight: 100 })));
  expect(line.slope).toBeCloseTo(-3);
  expect(line.at(10)).toBeCloseTo(-28);
  expect(line.errorAt(2)).toBeCloseTo(Math.sqrt(1 / 300));
  expect(line.errorAt(10)).toBeGreaterThan(line.errorAt(3));
});
