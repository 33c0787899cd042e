import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costsOf } from '../costs/cost-profile.ts';
import { genericServer } from '../costs/generic-server.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { DIRTY_METHODS, dirtyMethods } from './dirty-methods.ts';
import type { NamedMethod } from './dirty-methods.ts';
import type { DirtyMethodOptions } from './dirty-method.ts';
import { dirtyParameter } from './dirty-parameters.ts';
import { HarvestCosts } from './harvest-costs.ts';
import { HARVEST_TABLES, harvestTables, leafName } from './harvest-tables.ts';
import type { HarvestTables } from './harvest-tables.ts';
import { sketchedStream } from './testing/sketched-stream.ts';
import type { Sketch } from './testing/sketched-stream.ts';
import { smallestLeaf } from './methods/split-leaves.ts';
import { Tracking } from './tracking.ts';

const BASE = 0x4_0000;
const parameter = dirtyParameter(new Map());
const tracked = HARVEST_TABLES.filter((tables) => tables.untracked === undefined);

function trackingOf(
  row: NamedMethod,
  tables: HarvestTables,
  sketch: readonly Sketch[],
  flush = true,
  firstWrites = false,
) {
  const options: DirtyMethodOptions = { hardware: vtdServer, tables, flush, contiguousDefect: false, mergeAfter: 2 };
  const method = row.method.create(row.value, options);
  const costs = new HarvestCosts(costsOf(genericServer), parameter, row.method, false);
  const stream = sketchedStream(sketch, (sketch.at(-1)?.at ?? 0) + 1);
  // granules of 64 KiB hold several of the sketch's mappings
  const granulePages = row.method.sets === 'hardware' ? 2 ** (smallestLeaf(tables) - 12) : 1;
  return { method, tracking: new Tracking({ stream, method, costs, chunkPages: 0x800, firstWrites, granulePages }) };
}

/** Accesses, maps and unmaps in 32 MiB, of which the first 24 are mapped. */
type Step = {
  readonly what: 'write' | 'read' | 'map' | 'unmap' | 'harvest';
  readonly page: number;
  readonly pages: number;
};
const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom<Step['what'][]>('write', 'write', 'write', 'read', 'map', 'unmap', 'harvest'),
  page: fc.oneof(fc.nat(40), fc.nat(0x1fff), fc.constantFrom(0, 0x1ff, 0x200, 0x7ff, 0x800, 0x17ff)),
  pages: fc.constantFrom(1, 2, 16, 0x200),
});

function play(row: NamedMethod, tables: HarvestTables, steps: readonly Step[], first = false) {
  const operations: Sketch[] = [{ what: 'map', page: BASE, pages: 0x1800, at: 0 }];
  const harvests: number[] = [];
  steps.forEach(({ what, page, pages }, i) => {
    const at = i + 1;
    if (what === 'harvest') harvests.push(at);
    else if (what === 'map' || what === 'unmap') operations.push({ what, page: BASE + page, pages, at });
    else operations.push({ what, page: BASE + page, pages: pages > 16 ? 1 : pages, at });
  });
  const { tracking } = trackingOf(row, tables, operations, true, first);
  tracking.start();
  return [...harvests, steps.length + 1].map((at) => {
    tracking.playTo(at);
    const { reported, written, over, missed } = tracking.harvest();
    return { reported, written, over, missed };
  });
}

function rowsOf(tables: HarvestTables): readonly NamedMethod[] {
  const small = tables.format.geometry.sizes.map((size) => size.pageBits + 12).filter((shift) => shift <= 22);
  const values = DIRTY_METHODS.flatMap((method) => {
    if (method.value === undefined) return [method.name];
    if (method.name === 'kvm-ring') return ['kvm-ring@128'];
    if (method.name === 'pri-log') return ['pri-log@4k', 'pri-log@64k', 'pri-log@2m'];
    const shifts = method.name === 'ad-bits' ? small : small.slice(1).slice(-1);
    return shifts.map((shift) => `${method.name}@${leafName(shift)}`);
  });
  return dirtyMethods(values.join(','), tables);
}

describe.each(tracked)('with tables $name', (tables) => {
  test.each(rowsOf(tables))('$name misses no write', (row) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const outcomes = play(row, tables, steps);
        for (const { reported, written, over, missed } of outcomes) {
          expect(missed).toBe(0);
          expect(reported).toBe(written + over);
        }
        // playing first writes alone changes nothing of it
        if (!row.method.logsAgain) expect(play(row, tables, steps, true)).toEqual(outcomes);
      }),
      { numRuns: 40 },
    );
  });
});

test('leaves of a page report what was written, and no more', () => {
  const [row] = dirtyMethods('ad-bits@4k', harvestTables('vtd-second-stage', vtdServer));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      for (const { over } of play(row!, harvestTables('vtd-second-stage', vtdServer), steps)) expect(over).toBe(0);
    }),
    { numRuns: 40 },
  );
});

test('without a flush the oracle counts what writes through cached dirty translations lose', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [row] = dirtyMethods('ad-bits@4k', tables);
  // 256 pages that the 64 sets x 4 ways of the IOTLB hold all at once
  const write = fc.record({ page: fc.nat(255), harvest: fc.boolean() });
  fc.assert(
    fc.property(fc.array(write, { minLength: 1, maxLength: 300 }), (writes) => {
      const operations: Sketch[] = [
        { what: 'map', page: BASE, pages: 256, at: 0 },
        ...writes.map(({ page }, i): Sketch => ({ what: 'write', page: BASE + page, at: i + 1 })),
      ];
      const { tracking } = trackingOf(row!, tables, operations, false);
      tracking.start();
      const known = new Set<number>();
      let fresh = new Set<number>();
      let lost = new Set<number>();
      writes.forEach(({ page, harvest }, i) => {
        if (known.has(page)) {
          if (!fresh.has(page)) lost.add(page);
        } else fresh.add(page);
        known.add(page);
        if (!harvest) return;
        tracking.playTo(i + 1);
        const outcome = tracking.harvest();
        expect(outcome.missed).toBe(lost.size);
        expect(outcome.reported).toBe(fresh.size);
        fresh = new Set();
        lost = new Set();
      });
    }),
    { numRuns: 60 },
  );
  expect(
    row!.method.misses({ hardware: vtdServer, tables, flush: false, contiguousDefect: false, mergeAfter: 2 }),
  ).toMatch(/no flush/);
  expect(
    row!.method.misses({ hardware: vtdServer, tables, flush: true, contiguousDefect: false, mergeAfter: 2 }),
  ).toBeUndefined();
});

test('a fresh writable mapping of Arm tables reads as dirty until tracking starts', () => {
  const tables = harvestTables('arm-4k', vtdServer);
  const [row] = dirtyMethods('ad-bits@4k', tables);
  const sketch: Sketch[] = [
    { what: 'map', page: BASE, pages: 4, at: 0 },
    { what: 'write', page: BASE, at: 1 },
    { what: 'map', page: BASE + 8, pages: 2, at: 2 },
  ];
  const { tracking } = trackingOf(row!, tables, sketch);
  tracking.start();
  tracking.playTo(3);
  expect(tracking.harvest()).toMatchObject({ reported: 3, written: 1, over: 2, missed: 0 });
  expect(tracking.harvest()).toMatchObject({ reported: 0 });
});

test('all entries of a replicated leaf are cleared', () => {
  const tables = harvestTables('amd-v1', vtdServer);
  const [row] = dirtyMethods('ad-bits@64k', tables);
  const sketch: Sketch[] = [
    { what: 'map', page: BASE, pages: 64, at: 0 },
    { what: 'write', page: BASE + 21, at: 1 },
  ];
  const { tracking } = trackingOf(row!, tables, sketch);
  tracking.start();
  tracking.playTo(2);
  const { reported, counts } = tracking.harvest();
  expect([reported, counts.entriesCleared, counts.flushes]).toEqual([16, 16, 1]);
});

test('where the last entry of a leaf is cleaned and not told, the oracle counts the pages that are lost', () => {
  const tables = harvestTables('amd-v1', vtdServer);
  const [row] = dirtyMethods('ad-bits@64k', tables);
  const options = { hardware: vtdServer, tables, flush: true, contiguousDefect: true, mergeAfter: 2 };
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(127), { minLength: 1, maxLength: 40 }), (pages) => {
      const method = row!.method.create(row!.value, options);
      const costs = new HarvestCosts(costsOf(genericServer), parameter, row!.method, false);
      const sketch: Sketch[] = [
        { what: 'map', page: BASE, pages: 128, at: 0 },
        ...pages.map((page): Sketch => ({ what: 'write', page: BASE + page, at: 1 })),
      ];
      const tracking = new Tracking({ stream: sketchedStream(sketch, 2), method, costs, chunkPages: 0x800 });
      tracking.start();
      tracking.playTo(2);
      expect(tracking.harvest().missed).toBe(pages.filter((page) => page % 16 === 15).length);
      expect(tracking.harvest().reported).toBe(0);
    }),
    { numRuns: 40 },
  );
  expect(row!.method.misses(options)).toMatch(/without telling/);
});

test('a leaf that is split when it is found dirty is merged when it stays clean', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [row] = dirtyMethods('split-on-dirty', tables);
  const sketch: Sketch[] = [
    { what: 'map', page: BASE, pages: 1024, at: 0 },
    { what: 'write', page: BASE + 5, at: 1 },
    { what: 'write', page: BASE + 5, at: 3 },
  ];
  const { tracking, method } = trackingOf(row!, tables, sketch);
  tracking.start();
  tracking.playTo(2);
  expect(tracking.harvest()).toMatchObject({ reported: 512, written: 1, over: 511 });
  expect(method.counts.splits).toBe(1);
  tracking.playTo(4);
  expect(tracking.harvest()).toMatchObject({ reported: 1, over: 0 });
  tracking.harvest();
  expect(method.counts.merges).toBe(0);
  tracking.harvest();
  expect(method.counts.merges).toBe(1);
});

test('by default it is merged when tracking ends', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [row] = dirtyMethods('split-on-dirty', tables);
  const options = { hardware: vtdServer, tables, flush: true, contiguousDefect: false };
  const method = row!.method.create(row!.value, { ...options, mergeAfter: parameter('dirty.merge-after') });
  method.map(0, BASE, 1024);
  method.start(0, BASE, 1024);
  method.access(0, BASE + 600, true);
  for (let i = 0; i < 5; i++) method.harvest(0, BASE, 1024, () => undefined);
  expect(method.counts).toMatchObject({ splits: 1, merges: 0 });
  method.stop(0, BASE, 1024);
  expect(method.counts).toMatchObject({ splits: 1, merges: 1 });
});

test('leaves split when tracking starts are merged when it ends', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [row] = dirtyMethods('split-on-start@2m', tables);
  const { tracking, method } = trackingOf(row!, tables, [{ what: 'map', page: BASE, pages: 1024, at: 0 }]);
  tracking.start();
  expect(method.counts).toMatchObject({ splits: 2, entriesWritten: 1024, merges: 0 });
  tracking.stop();
  expect(method.counts).toMatchObject({ splits: 2, merges: 2 });
});

test('a granule stays as long as one of its pages is mapped', () => {
  const tables = harvestTables('arm-16k', vtdServer);
  const [row] = dirtyMethods('ad-bits@16k', tables);
  const sketch: Sketch[] = [
    { what: 'map', page: BASE + 1, pages: 9, at: 0 },
    // of three granules the one between goes, as the others still have a page each
    { what: 'unmap', page: BASE + 2, pages: 7, at: 1 },
    { what: 'write', page: BASE + 1, at: 2 },
    { what: 'write', page: BASE + 6, at: 3 },
    { what: 'write', page: BASE + 9, at: 4 },
  ];
  const { tracking } = trackingOf(row!, tables, sketch);
  tracking.start();
  tracking.playTo(5);
  expect(tracking.harvest()).toMatchObject({ mapped: 2, written: 2, reported: 8, missed: 0 });
  expect(tracking.unmapped).toBe(1);
});

test('cached translations of a size go with it: splits and merges cost misses', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [start, dirty] = dirtyMethods('split-on-start@2m,split-on-dirty', tables);
  const options = { hardware: vtdServer, tables, flush: true, contiguousDefect: false, mergeAfter: 1 };
  const misses = (method: { readonly counts: { readonly misses: number } }, act: () => void): number => {
    const before = method.counts.misses;
    act();
    return method.counts.misses - before;
  };
  for (const row of [start!, dirty!]) {
    const method = row.method.create(row.value, options);
    const read = (page: number): void => void method.access(0, BASE + page, false);
    const harvest = (): void => method.harvest(0, BASE, 512, () => undefined);
    method.map(0, BASE, 512);
    const both = (): void => [0, 1].forEach(read);
    // one translation of 2 MiB, then one for each page, then one again
    expect(misses(method, both)).toBe(1);
    method.start(0, BASE, 512);
    if (row === dirty) {
      method.access(0, BASE + 9, true);
      harvest();
    }
    expect(method.counts.splits).toBe(1);
    expect(misses(method, both)).toBe(2);
    expect(misses(method, both)).toBe(0);
    if (row === dirty) harvest();
    else method.stop(0, BASE, 512);
    expect(method.counts.merges).toBe(1);
    expect(misses(method, both)).toBe(1);
  }
});

test('a full ring stops its writer and is collected', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [row] = dirtyMethods('kvm-ring@128', tables);
  const writes = Array.from({ length: 200 }, (_, i): Sketch => ({ what: 'write', page: BASE + (i % 100), at: i + 1 }));
  const { tracking, method } = trackingOf(row!, tables, [{ what: 'map', page: BASE, pages: 512, at: 0 }, ...writes]);
  tracking.start();
  tracking.playTo(201);
  // 64 entries are kept free: after each 64 pages those are protected again, so that the second round faults on all anew
  expect(method.counts).toMatchObject({ exits: 3, faults: 200, ringEntries: 192 });
  expect(tracking.harvest()).toMatchObject({ reported: 100, missed: 0 });
  expect(method.counts.ringEntries).toBe(200);
});

describe('names', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);

  test('are unique, and each has its default', () => {
    const names = DIRTY_METHODS.map((method) => method.name);
    expect(new Set(names).size).toBe(names.length);
    expect(dirtyMethods(names.join(','), tables).map((row) => row.name)).toEqual([
      'ad-bits@4k',
      'split-on-start@2m',
      'split-on-dirty@2m',
      'write-protect',
      'kvm-ring@4096',
      'pri-log@4k',
    ]);
    expect(dirtyMethods('ad-bits,ad-bits@4k,ad-bits@4K', tables)).toHaveLength(1);
  });

  test.each([
    ['ad-bit', /did you mean|unknown method/],
    ['ad-bits@3k', /size of the leaves/],
    ['ad-bits@64k', /vtd-second-stage has no leaves of 64k, only 4k, 2m, 1g/],
    ['split-on-dirty@4k', /nothing to split/],
    ['kvm-ring@100', /entries of the ring/],
    ['write-protect@4k', /takes no value/],
    ['pri-log@1g', /what one fault logs/],
    ['', /names no method/],
  ])('%j is refused', (text, message) => {
    expect(() => dirtyMethods(text, tables)).toThrow(message);
  });

  test.each(HARVEST_TABLES.filter((one) => one.untracked !== undefined))(
    '$name has no dirty bits to harvest',
    (one) => {
      expect(() => dirtyMethods('ad-bits@4k', one)).toThrow(one.name);
      expect(dirtyMethods('write-protect,kvm-ring', one)).toHaveLength(2);
    },
  );

  test('tables by name, or by the hardware', () => {
    expect(harvestTables('auto', vtdServer).name).toBe('vtd-second-stage');
    expect(() => harvestTables('vtd', vtdServer)).toThrow(/unknown tables/);
  });
});
