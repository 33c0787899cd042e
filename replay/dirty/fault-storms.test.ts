import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costsOf } from '../costs/cost-profile.ts';
import { genericServer } from '../costs/generic-server.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { faultsByPass, faultsOfPass } from './block-faults.ts';
import { dirtyMethods } from './dirty-methods.ts';
import { dirtyParameter } from './dirty-parameters.ts';
import type { FaultStorm } from './dirty-result.ts';
import { faultStorms } from './fault-storms.ts';
import { HarvestCosts } from './harvest-costs.ts';
import { harvestTables, leafShiftOf } from './harvest-tables.ts';
import { sketchedStream } from './testing/sketched-stream.ts';
import type { Sketch } from './testing/sketched-stream.ts';
import { Tracking } from './tracking.ts';

const PAGES = 0x800;
const tables = harvestTables('vtd-second-stage', vtdServer);
const step = fc.record({
  what: fc.constantFrom<Sketch['what'][]>('write', 'write', 'write', 'read', 'map', 'unmap'),
  page: fc.oneof(fc.nat(40), fc.nat(PAGES - 17)),
  pages: fc.integer({ min: 1, max: 16 }),
});

function streamOf(steps: readonly Omit<Sketch, 'at'>[]) {
  const operations = steps.map((one, i): Sketch => ({ ...one, at: i + 1 }));
  return sketchedStream([{ what: 'map', page: 0, pages: PAGES, at: 0 }, ...operations], steps.length + 1);
}

describe.each(['4k', '64k', '2m'])('blocks of %s', (block) => {
  test('fault as often in each pass as the method does', () => {
    const [row] = dirtyMethods(`pri-log@${block}`, tables);
    const options = { hardware: vtdServer, tables, flush: true, contiguousDefect: false, mergeAfter: 2 };
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), fc.integer({ min: 1, max: 30 }), (steps, every) => {
        const stream = streamOf(steps);
        const at = Array.from({ length: Math.ceil(stream.endNs / every) }, (_, i) => (i + 1) * every);
        const method = row!.method.create(row!.value, options);
        const costs = new HarvestCosts(costsOf(genericServer), dirtyParameter(new Map()), row!.method, false);
        const tracking = new Tracking({ stream, method, costs, chunkPages: PAGES });
        tracking.start();
        const faults = at.map((time) => {
          const before = method.counts.faults;
          tracking.playTo(time);
          const made = method.counts.faults - before;
          tracking.harvest();
          return made;
        });
        expect(faultsByPass(stream, at, leafShiftOf(block))).toEqual(faults);
      }),
      { numRuns: 60 },
    );
  });
});

test('slices delay faults until their blocks are protected, and spare those of writes before', () => {
  const write = (page: number, at: number): Sketch => ({ what: 'write', page, at });
  const stream = sketchedStream(
    [
      { what: 'map', page: 0, pages: 16, at: 0 },
      ...[0, 1, 2, 3].map((page) => write(page, 10)),
      // the second pass, from 100 to 200: 8 was protected all the time
      write(0, 110),
      write(3, 120),
      write(8, 130),
      write(2, 140),
      write(2, 160),
      write(1, 190),
    ],
    200,
  );
  const times = (slices: number): readonly number[] => [...faultsOfPass(stream, [100, 200], 12, 1, slices).time];
  expect(times(1)).toEqual([10, 20, 30, 40, 90]);
  // 0 and 1 at once, 2 and 3 at 150: 3 is written before
  expect(times(2)).toEqual([10, 30, 60, 90]);
  expect(times(4)).toEqual([10, 30, 60, 90]);
  expect(faultsOfPass(stream, [100, 200], 12, 1, 2).protectedBlocks).toBe(4);
});

describe('a storm', () => {
  const FAULTS = 4000;
  const writes = Array.from({ length: 2 * FAULTS }, (_, i): Sketch => ({ what: 'write', page: i % FAULTS, at: i + 1 }));
  const stream = sketchedStream([{ what: 'map', page: 0, pages: FAULTS, at: 0 }, ...writes], 2 * FAULTS);
  const storms = (set: Readonly<Record<string, number>>): readonly FaultStorm[] =>
    faultStorms({
      stream,
      at: [FAULTS, 2 * FAULTS],
      blockShift: 12,
      hardware: vtdServer,
      parameter: dirtyParameter(new Map(Object.entries(set))),
      published: [{ name: '700 us', latencyNs: 700_000 }],
      seed: 1,
    })!.storms;

  test('takes what its handlers take, one after the other', () => {
    const [together] = storms({});
    expect(together).toMatchObject({ faults: FAULTS, queueMax: 32, waitingMax: 32, overflowProbability: 0 });
    const handled = 4480 + 20 + 1000;
    expect(together!.spanNs).toBeGreaterThanOrEqual(FAULTS * handled);
    expect(together!.spanNs).toBeLessThan(FAULTS * handled + 20_000);
    const [four] = storms({ 'pri.servers': 4 });
    expect(four!.spanNs / (together!.spanNs / 4)).toBeCloseTo(1, 1);
  });

  test('of long latencies takes as many of them as rounds of what a device may have under way', () => {
    const published = storms({}).at(-1)!;
    expect(published.name).toContain('700 us');
    expect(published.spanNs / ((FAULTS / 32) * 700_000)).toBeCloseTo(1, 1);
  });

  test('overflows a queue that is shorter than what devices send', () => {
    const [none] = storms({ 'pri.outstanding': 64 });
    const [some] = storms({ 'pri.outstanding': 64, 'pri.queue': 16 });
    expect(none!.overflowProbability).toBe(0);
    expect(some!.overflowProbability).toBeGreaterThan(0);
  });

  test('stays small where blocks are protected in slices, if its requests can be handled at all', () => {
    // a write every us, so that a pass has time for its faults
    const slow = { ...stream, time: stream.time.map((at) => at * 1000), endNs: stream.endNs * 1000 };
    const found = faultStorms({
      stream: slow,
      at: [FAULTS * 1000, 2 * FAULTS * 1000],
      blockShift: 12,
      hardware: vtdServer,
      parameter: dirtyParameter(new Map([['pri.servers', 8]])),
      published: [],
      seed: 1,
    })!;
    const [, whole, ...sliced] = found.storms;
    expect(found).toMatchObject({ pass: 1, faults: FAULTS, protectedBlocks: FAULTS, slices: 1 });
    for (const one of sliced) expect(one.latency.max).toBeLessThanOrEqual(whole!.latency.max);
    expect(sliced.map(({ blocksAtOnce }) => blocksAtOnce)).toEqual([2000, 1000, 250, 63, 16]);
  });
});
