import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { QueueTiming } from '../queues/queue-timing.ts';
import { lossOfMmck, occupancyOfMmc, waitOfMg1, waitOfMmc } from './closed-forms.ts';
import { makeArrivals, stormArrivals } from './fault-arrivals.ts';
import { NO_COSTS } from './fault-costs.ts';
import type { FaultServiceResult } from './fault-service-result.ts';
import { simulateFaultService } from './fault-service.ts';
import type { FaultServiceOptions } from './fault-service-options.ts';
import type { ServiceTime } from './service-time.ts';

const SERVICE_NS = 10_000;

/** A queue that takes everything while it has room, and nothing more. */
const PLAIN: QueueTiming = {
  entries: 1 << 20,
  spare: 0,
  freed: 'pass',
  full: 'drop',
  overflow: 'none',
  lost: 'success',
  discards: true,
  restarted: false,
  denies: false,
  outstanding: 1e9,
};

const BASE: Omit<FaultServiceOptions, 'arrivals'> = {
  queue: PLAIN,
  entries: 1 << 20,
  outstanding: 1e9,
  servers: 1,
  service: { kind: 'exponential', ns: SERVICE_NS },
  unknownServiceNs: SERVICE_NS,
  batch: 1,
  lingerNs: 0,
  repairPages: 1,
  prefetch: 0,
  costs: NO_COSTS,
  asksAgain: false,
  seed: 1,
  quantiles: false,
};

function run(
  groups: number,
  seed: number,
  load: number,
  options: Partial<Omit<FaultServiceOptions, 'arrivals'>> = {},
): FaultServiceResult {
  const perSecond = (load * 1e9) / SERVICE_NS;
  const arrivals = makeArrivals({ groups, devices: 1, perSecond, kind: 'poisson', seed: 2 * seed });
  return simulateFaultService({ ...BASE, ...options, arrivals, seed: 2 * seed + 1 });
}

/**
 * What speaks against a figure of theory. Runs that know nothing of each other: their mean must be within four standard errors
 * (one of 16,000 such comparisons fails by chance), and of long runs within 2%. An interval that excludes nothing proves nothing.
 */
function disagreements(
  theory: number,
  figure: (result: FaultServiceResult) => number,
  once: (seed: number, groups: number) => FaultServiceResult,
): readonly string[] {
  const full = process.env['IORR_FULL'] === '1';
  const figures = Array.from({ length: 12 }, (_, seed) => figure(once(seed, full ? 300_000 : 8000)));
  const mean = figures.reduce((sum, one) => sum + one, 0) / figures.length;
  const variance = figures.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (figures.length - 1);
  const error = Math.sqrt(variance / figures.length);
  const away = Math.abs(mean - theory);
  return [
    ...(away < 4 * error ? [] : [`${mean} instead of ${theory}, standard error ${error}`]),
    ...(error < theory * (full ? 0.012 : 0.1) ? [] : [`standard error ${error} of ${theory}`]),
    ...(!full || away < 0.02 * theory ? [] : [`${mean} is not within 2% of ${theory}`]),
  ];
}

describe('closed forms', () => {
  test.each([
    [1, 0.5],
    [1, 0.8],
    [4, 3.2],
    [8, 6.4],
  ])('M/M/%i at load %f: wait and occupancy', { timeout: 900_000 }, (servers, load) => {
    const once = (seed: number, groups: number): FaultServiceResult => run(groups, seed, load, { servers });
    expect(disagreements(waitOfMmc(servers, load), ({ parts }) => parts.serverNs.mean / SERVICE_NS, once)).toEqual([]);
    expect(disagreements(occupancyOfMmc(servers, load), ({ host }) => host.mean, once)).toEqual([]);
  });

  test.each([0.5, 0.8])('M/D/1 at load %f: wait', { timeout: 900_000 }, (load) => {
    const service: ServiceTime = { kind: 'fixed', ns: SERVICE_NS };
    expect(
      disagreements(
        waitOfMg1(load, 0),
        ({ parts }) => parts.serverNs.mean / SERVICE_NS,
        (seed, groups) => run(groups, seed, load, { service }),
      ),
    ).toEqual([]);
  });

  test('M/G/1 with gamma and lognormal services: wait', { timeout: 900_000 }, () => {
    const sigma = 0.5;
    const cases: readonly (readonly [ServiceTime, number])[] = [
      [{ kind: 'gamma', ns: SERVICE_NS, shape: 4 }, 1 / 4],
      [{ kind: 'gamma', ns: SERVICE_NS, shape: 0.5 }, 2],
      [{ kind: 'lognormal', ns: SERVICE_NS, sigma }, Math.exp(sigma * sigma) - 1],
      [{ kind: 'empirical', list: [0.5 * SERVICE_NS, 1.5 * SERVICE_NS] }, 1 / 4],
    ];
    for (const [service, variation] of cases) {
      expect(
        disagreements(
          waitOfMg1(0.6, variation),
          ({ parts }) => parts.serverNs.mean / SERVICE_NS,
          (seed, groups) => run(groups, seed, 0.6, { service }),
        ),
      ).toEqual([]);
    }
  });

  test.each([
    [1, 4, 0.8],
    [1, 8, 1.2],
    [4, 12, 4],
  ])(
    'M/M/%i/%i at load %f: overflow, entries held until the answer',
    { timeout: 900_000 },
    (servers, entries, load) => {
      expect(
        disagreements(
          lossOfMmck(servers, entries, load),
          ({ overflowProbability }) => overflowProbability,
          (seed, groups) => run(groups, seed, load, { servers, entries, queue: { ...PLAIN, freed: 'answered' } }),
        ),
      ).toEqual([]);
    },
  );

  test('M/M/1/K at the driver: overflow, entries free when taken', { timeout: 900_000 }, () => {
    const load = 0.9;
    expect(
      disagreements(
        lossOfMmck(1, 6, load),
        ({ overflowProbability }) => overflowProbability,
        (seed, groups) =>
          run(groups, seed, load, {
            servers: 64,
            service: { kind: 'fixed', ns: 0 },
            entries: 5,
            queue: { ...PLAIN, freed: 'taken' },
            handler: { kind: 'exponential', ns: SERVICE_NS },
          }),
      ),
    ).toEqual([]);
  });
});

const TIMINGS = fc.record({
  entries: fc.constant(2048),
  spare: fc.constantFrom(0 as const, 1 as const),
  freed: fc.constantFrom('taken' as const, 'pass' as const),
  full: fc.constantFrom('drop' as const, 'hold' as const),
  overflow: fc.constantFrom('until-drained' as const, 'none' as const),
  lost: fc.constantFrom('success' as const, 'none' as const),
  discards: fc.boolean(),
  restarted: fc.boolean(),
  denies: fc.boolean(),
  outstanding: fc.constant(64),
});

/** Groups of several requests from several devices, whose pages may be asked for more than once. */
const OPTIONS = fc.record({
  groups: fc.integer({ min: 0, max: 120 }),
  size: fc.integer({ min: 1, max: 5 }),
  devices: fc.integer({ min: 1, max: 3 }),
  gapNs: fc.integer({ min: 0, max: 5000 }),
  queue: TIMINGS,
  entries: fc.integer({ min: 2, max: 20 }),
  outstanding: fc.integer({ min: 1, max: 20 }),
  servers: fc.integer({ min: 1, max: 4 }),
  batch: fc.integer({ min: 1, max: 5 }),
  lingerNs: fc.constantFrom(0, 500),
  repairPages: fc.constantFrom(1, 16, 512),
  prefetch: fc.integer({ min: 0, max: 9 }),
  threads: fc.integer({ min: 0, max: 4 }),
  cost: fc.integer({ min: 0, max: 300 }),
  asksAgain: fc.boolean(),
  seed: fc.integer({ min: 0, max: 1000 }),
});

type Drawn = typeof OPTIONS extends fc.Arbitrary<infer T> ? T : never;

function drawn(of: Drawn): FaultServiceOptions {
  const { groups, size, devices, gapNs, cost, threads } = of;
  const requests = groups * size;
  const costs = Object.fromEntries(Object.keys(NO_COSTS).map((name, i) => [name, cost * (i % 3)]));
  return {
    ...BASE,
    ...of,
    quantiles: true,
    costs: costs as unknown as FaultServiceOptions['costs'],
    arrivals: {
      groups,
      time: Float64Array.from({ length: groups }, (_, i) => 1000 + i * gapNs),
      devices,
      device: Int32Array.from({ length: groups }, (_, i) => i % devices),
      rids: [],
      requestsFrom: Int32Array.from({ length: groups + 1 }, (_, i) => i * size),
      pages: {
        page: Float64Array.from({ length: requests }, (_, i) => (i * 7) % 64),
        space: new Int32Array(requests),
        offsetNs: Float64Array.from({ length: requests }, (_, i) => (i % size) * 100),
      },
      refused: Uint8Array.from({ length: groups }, (_, i) => (i % 11 === 0 ? 1 : 0)),
    },
    ...(threads === 0 ? {} : { closed: { threads, think: { kind: 'fixed', ns: 50 } } }),
  };
}

describe('whatever the queue', () => {
  test('every group ends once, and times add up', () => {
    fc.assert(
      fc.property(OPTIONS, (of) => {
        const result = simulateFaultService(drawn(of));
        const { groups, repaired, refused, lost, avoided, parts, spanNs, host } = result;
        expect(groups).toBe(of.groups);
        expect(repaired + refused + lost + avoided).toBe(groups);
        expect(result.doneNs.count).toBe(groups - avoided);
        expect(result.devices.reduce((sum, device) => sum + device.groups, 0)).toBe(groups - avoided);
        // Little's law, without chance: the host is empty at both ends
        const inHost = parts.serverNs.mean * parts.serverNs.count + parts.serviceNs.mean * parts.serviceNs.count;
        expect(host.mean * spanNs).toBeCloseTo(inHost, 3);
        for (const { stallNs, blockedNs, waitNs } of result.devices) {
          expect(stallNs).toBeLessThanOrEqual(spanNs);
          expect(blockedNs).toBeLessThanOrEqual(stallNs);
          expect(stallNs).toBeLessThanOrEqual(waitNs);
        }
        expect(result.queue.max).toBeLessThanOrEqual(of.entries - of.queue.spare);
        expect(result.prefetchUsed).toBeLessThanOrEqual(result.prefetched);
        if (of.queue.full === 'hold') expect(result.lostRequests).toBe(0);
        expect(result.responseBars.reduce((sum, bar) => sum + bar.count, 0)).toBe(result.responseNs.count);
      }),
      { numRuns: 300 },
    );
  });

  test('the same options give the same result', () => {
    fc.assert(
      fc.property(OPTIONS, (of) => {
        expect(simulateFaultService(drawn(of))).toEqual(simulateFaultService(drawn(of)));
      }),
      { numRuns: 30 },
    );
  });
});

describe('a storm of 500 requests', () => {
  const storm = { ...BASE, arrivals: stormArrivals(500, 0, 0), quantiles: true, asksAgain: true, outstanding: 4096 };
  const service = { kind: 'fixed', ns: 1000 } as const;
  const costs = { ...NO_COSTS, handlerNs: 100, retranslateNs: 50, answerNs: 50 };

  test('one server does one after the other', () => {
    const { spanNs, host, doneNs } = simulateFaultService({ ...storm, service });
    expect([spanNs, host.max, doneNs.max]).toEqual([500_000, 500, 500_000]);
  });

  test('a queue that is large enough loses nothing; a small one much, and all is asked for again', () => {
    const queue: QueueTiming = { ...PLAIN, overflow: 'until-drained', spare: 1 };
    const large = simulateFaultService({ ...storm, service, costs, queue, entries: 2048 });
    expect([large.lostRequests, large.repaired, large.queue.max]).toEqual([0, 500, 500]);
    const small = simulateFaultService({ ...storm, service, costs, queue, entries: 64 });
    expect(small.repaired).toBe(500);
    expect(small.lostRequests).toBe(small.requests - 500);
    expect(small.retries).toBe(small.lostRequests);
    expect(small.overflowProbability).toBeGreaterThan(0.5);
    expect(small.queue.max).toBe(63);
  });

  test('blocks and prefetch take requests away that come later', () => {
    const later = { closed: { threads: 1, think: { kind: 'fixed', ns: 0 } as const } };
    const repaired = (repairPages: number, prefetch: number): number =>
      simulateFaultService({ ...storm, ...later, service, repairPages, prefetch }).repaired;
    expect([repaired(1, 0), repaired(16, 0), repaired(512, 0), repaired(1, 9)]).toEqual([500, 32, 1, 50]);
  });

  test('what the device may have outstanding bounds the queue and blocks the device', () => {
    const { queue, blockedShare, stallShare } = simulateFaultService({
      ...storm,
      service,
      costs,
      queue: { ...PLAIN, freed: 'taken' },
      outstanding: 32,
    });
    expect(queue.max).toBe(32);
    expect(blockedShare).toBeGreaterThan(0.9);
    expect(stallShare).toBeCloseTo(1, 6);
  });

  test('responses in batches share a submission', () => {
    const shared = { ...costs, submitNs: 1000, respondNs: 10 };
    const one = simulateFaultService({ ...storm, service, costs: shared });
    const many = simulateFaultService({ ...storm, service, costs: shared, batch: 16 });
    expect([one.submissions, many.submissions]).toEqual([500, 32]);
    expect(many.spanNs).toBeLessThan(one.spanNs * 0.6);
    expect(many.parts.batchNs.mean).toBeGreaterThan(0);
  });

  test('stalls wait for an entry instead of being lost', () => {
    const held = simulateFaultService({ ...storm, service, costs, queue: { ...PLAIN, full: 'hold' }, entries: 64 });
    expect([held.lostRequests, held.held, held.repaired]).toEqual([0, 436, 500]);
  });

  test('pages that are gone again before the device has its translation are asked for again', () => {
    const { repaired, retries, requests } = simulateFaultService({ ...storm, service, costs, refaults: 0.5 });
    expect(repaired).toBe(500);
    expect(requests).toBe(500 + retries);
    expect(retries).toBeGreaterThan(400);
    expect(retries).toBeLessThan(600);
  });

  test('a driver that denies repairs nothing', () => {
    const denied = simulateFaultService({ ...storm, service, costs, queue: { ...PLAIN, denies: true } });
    expect([denied.refused, denied.repaired, denied.utilisation]).toEqual([500, 0, 0]);
  });
});
