import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { costsOf } from '../costs/cost-profile.ts';
import { genericServer } from '../costs/generic-server.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { addCounts, noCounts } from './dirty-counts.ts';
import { dirtyMethods } from './dirty-methods.ts';
import { dirtyParameter } from './dirty-parameters.ts';
import { planHarvest } from './dirty-plan.ts';
import { HarvestCosts } from './harvest-costs.ts';
import { harvestTables } from './harvest-tables.ts';
import { PageSet } from './page-set.ts';

const GIB = 2 ** 30;
const CHUNK = 2 ** 18;
const THREADS = [1, 2, 4];
const parameter = dirtyParameter(new Map());

/** Builds all of the memory, dirties runs of leaves at random, harvests it, and plans the same from what was found. */
function builtAndPlanned(name: string, format: string, gib: number, starts: number, runLeaves: number) {
  const tables = harvestTables(format, vtdServer);
  const [row] = dirtyMethods(name, tables);
  const costs = new HarvestCosts(costsOf(genericServer), parameter, row!.method, false);
  const method = row!.method.create(row!.value, {
    hardware: vtdServer,
    tables,
    flush: true,
    contiguousDefect: false,
    mergeAfter: 2,
  });
  const pages = gib * CHUNK;
  method.map(0, 0, pages);
  for (let page = 0; page < pages; page += CHUNK) method.start(0, page, CHUNK);
  const random = new Random(7);
  const { scannedLeaf } = row!.method.plan(row!.value)!;
  const leafPages = scannedLeaf >= 21 ? 2 ** (scannedLeaf - 12) : 1;
  for (let i = 0; i < starts * gib; i++) {
    const first = random.below(pages / leafPages);
    for (let leaf = first; leaf < Math.min(first + runLeaves, pages / leafPages); leaf++)
      method.access(0, leaf * leafPages, true);
  }
  const reported = new PageSet();
  const before = { ...method.counts };
  const parts = [];
  for (let page = 0; page < pages; page += CHUNK) {
    const from = { ...method.counts };
    method.harvest(0, page, CHUNK, (at, count) => void reported.addRange(at, count));
    const counts = noCounts();
    addCounts(counts, method.counts, from);
    parts.push(counts);
  }
  const sum = noCounts();
  addCounts(sum, method.counts, before);
  const ranges = reported.runs();
  const times = parts.map((counts) => costs.part(counts, ranges / parts.length));
  const plan = planHarvest({
    bytes: gib * GIB,
    rule: row!.method.plan(row!.value)!,
    format: tables.format,
    shares: {
      reported: reported.size / pages,
      cleared: sum.entriesCleared / pages,
      ranges: ranges / reported.size,
      ring: sum.ringEntries / pages,
      tables: sum.tablesVisited / pages,
    },
    costs,
    parameter,
    chunkPages: CHUNK,
    threads: THREADS,
    seed: 3,
  });
  return { plan, sum, built: THREADS.map((threads) => costs.wall(times, threads, 0)) };
}

describe('a plan costs what it costs when it is built', () => {
  test.each([
    ['ad-bits@4k', 'vtd-second-stage', 4, 300, 4],
    ['ad-bits@4k', 'vtd-second-stage', 8, 20_000, 2],
    ['ad-bits@2m', 'vtd-second-stage', 64, 40, 3],
    ['ad-bits@1g', 'vtd-second-stage', 240, 1, 1],
    ['ad-bits@4k', 'amd-v1', 4, 300, 4],
    ['ad-bits@16k', 'arm-16k', 4, 300, 4],
    ['split-on-start@2m', 'vtd-second-stage', 4, 300, 4],
    ['write-protect', 'vtd-second-stage', 4, 3000, 4],
    ['pri-log@4k', 'vtd-second-stage', 4, 3000, 4],
    ['pri-log@64k', 'vtd-second-stage', 4, 3000, 4],
  ])('%s of %s, %i GiB', (name, format, gib, starts, runLeaves) => {
    const { plan, sum, built } = builtAndPlanned(name, format, gib, starts, runLeaves);
    expect(Math.abs(plan.entries - sum.entriesRead)).toBeLessThanOrEqual(sum.entriesRead * 0.001);
    expect(Math.abs(plan.tables - sum.tablesVisited)).toBeLessThanOrEqual(sum.tablesVisited * 0.001 + 1);
    expect(plan.bitmapBytes).toBe(sum.bitmapBytes);
    for (const [i, ns] of built.entries()) {
      expect(Math.abs(plan.formulaNs[i]! / ns - 1)).toBeLessThan(0.05);
      expect(Math.abs(plan.sampledNs[i]! / ns - 1)).toBeLessThan(0.05);
    }
  });
});

test('1 TiB in leaves of 4 KiB is planned from samples of 16 GiB', () => {
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [row] = dirtyMethods('ad-bits@4k', tables);
  const plan = planHarvest({
    bytes: 1024 * GIB,
    rule: row!.method.plan(row!.value)!,
    format: tables.format,
    shares: { reported: 0.01, cleared: 0.01, ranges: 0.25, ring: 0, tables: 0 },
    costs: new HarvestCosts(costsOf(genericServer), parameter, row!.method, false),
    parameter,
    chunkPages: CHUNK,
    threads: [1],
    seed: 1,
  });
  // 2^28 leaves in 2^19 tables, and a harvest of each GiB comes down from the root
  expect(plan).toMatchObject({ samples: 16, bitmapBytes: 2 ** 25, tables: 2 ** 19 + 3 * 1024 });
  expect(plan.entries).toBe(2 ** 28 + 2 ** 19 + 2 * 1024);
  expect(Math.abs(plan.sampledNs[0]! / plan.formulaNs[0]! - 1)).toBeLessThan(0.05);
});
