import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { costsOf } from '../costs/cost-profile.ts';
import { genericServer } from '../costs/generic-server.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { crossover } from './crossover.ts';
import type { MeasuredMethod } from './crossover.ts';
import { dirtyMethods } from './dirty-methods.ts';
import { dirtyParameter } from './dirty-parameters.ts';
import { HarvestCosts } from './harvest-costs.ts';
import { harvestTimes, studyHarvests } from './harvest-study.ts';
import { harvestTables } from './harvest-tables.ts';
import { sketchedStream } from './testing/sketched-stream.ts';
import type { Sketch } from './testing/sketched-stream.ts';
import { Tracking } from './tracking.ts';

const MEMORY = 0x8000;
const CHUNK = 0x4000;
const END = 40e6;
const LINK = 1.25e9;
const parameter = dirtyParameter(new Map());
const tables = harvestTables('vtd-second-stage', vtdServer);
const rows = dirtyMethods('ad-bits@4k,ad-bits@2m,write-protect,pri-log@4k,pri-log@64k,pri-log@2m', tables);

/** Half of the writes go to an eighth of the memory. */
function writes(): readonly Sketch[] {
  const random = new Random(5);
  const sketch: Sketch[] = [{ what: 'map', page: 0, pages: MEMORY, at: 0 }];
  for (let i = 0; i < 20_000; i++) {
    const page = random.chance(0.5) ? random.below(MEMORY / 8) : random.below(MEMORY);
    sketch.push({ what: 'write', page, at: (i * END) / 20_000 });
  }
  return sketch;
}
const stream = sketchedStream(writes(), END);

function ran(name: string, intervalNs: number) {
  const row = rows.find((one) => one.name === name)!;
  const method = row.method.create(row.value, {
    hardware: vtdServer,
    tables,
    flush: true,
    contiguousDefect: false,
    mergeAfter: 2,
  });
  const costs = new HarvestCosts(costsOf(genericServer), parameter, row.method, false);
  const tracking = new Tracking({ stream, method, costs, chunkPages: CHUNK });
  const times = harvestTimes(stream, intervalNs);
  const study = studyHarvests(tracking, method.counts, times);
  const untracked = { misses: 0, walkReads: 0 };
  const waits = costs.faults.waits(study.tracking, untracked.walkReads);
  const walls = study.outcomes.reduce((sum, { parts }) => sum + costs.wall(parts, 1, 0), 0);
  const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
  const measured: MeasuredMethod = {
    name,
    method: row.method,
    rule: row.method.plan(row.value)!,
    costs,
    counts: study.counts,
    tracking: study.tracking,
    untracked,
    reported: sum(study.series.reported),
    ranges: sum(study.series.ranges),
    unmapNs: 0,
    chunkPages: CHUNK,
  };
  return { measured, harvests: times.at.length, passNs: ((walls + waits.hostNs + waits.stallNs) * intervalNs) / END };
}

const intervalNs = END / 40;
const result = crossover({
  stream,
  methods: rows.map(({ name }) => ran(name, intervalNs).measured),
  harvests: 40,
  intervalNs,
  linkBytesPerSecond: LINK,
  marks: [],
  left: [],
  checked: [0.25, 1, 4],
  run: (name, scale) => ran(name, scale * intervalNs).passNs,
});

describe('the formula', () => {
  test.each(result.checks.map((check) => [check.method, check.scale, check] as const))(
    '%s at scale %d costs what a run costs',
    (_, scale, { formulaNs, runNs }) => {
      expect(Math.abs(formulaNs / runNs - 1)).toBeLessThan(scale === 1 ? 1e-9 : 0.05);
    },
  );

  test('the rate of writing is that of the pages that become dirty', () => {
    const { written } = { written: ran('ad-bits@4k', intervalNs).measured.tracking.updates / 40 };
    const rate = (written * 4096 * 1e9) / intervalNs;
    expect(Math.abs(result.dirtyBytesPerSecond[result.scales.indexOf(1)]! / rate - 1)).toBeLessThan(0.02);
    for (const [i, bytes] of result.dirtyBytesPerSecond.entries()) {
      if (i > 0) expect(bytes).toBeGreaterThan(result.dirtyBytesPerSecond[i - 1]!);
    }
  });
});

const inMap = result.methods.filter(({ ofDevices }) => ofDevices);

/** Cost of a pass by the lines of the result. */
function costAt(criterion: 'cost' | 'migration', name: string, scale: number, latency: number): number {
  const { fixedNs, requests, reportedBytes } = result.methods.find((one) => one.name === name)!;
  const onLink = criterion === 'cost' ? 0 : (reportedBytes[scale]! / LINK) * 1e9;
  return fixedNs[scale]! + requests[scale]! * latency + onLink;
}

describe.each(result.maps)('the map of $criterion', ({ criterion, winners, boundaries }) => {
  test('names the method that costs least', () => {
    const random = new Random(1);
    for (let i = 0; i < 2000; i++) {
      const scale = random.below(result.scales.length);
      const latency = 10 ** (random.unit() * 8);
      const winner = winners[scale]!.findLast(({ fromNs }) => fromNs <= latency)!.method;
      const least = Math.min(...inMap.map(({ name }) => costAt(criterion, name, scale, latency)));
      expect(costAt(criterion, winner, scale, latency)).toBeLessThanOrEqual(least * (1 + 1e-9));
    }
  });

  test('has boundaries where two cost the same', () => {
    for (const { method, against, latencyNs } of boundaries) {
      for (const [scale, at] of latencyNs.entries()) {
        const mine = (latency: number): number => costAt(criterion, method, scale, latency);
        const other = (latency: number): number => costAt(criterion, against, scale, latency);
        if (at === null) expect(mine(0) <= other(0)).toBe(mine(1e9) <= other(1e9));
        else expect(mine(at) / other(at)).toBeCloseTo(1, 9);
      }
    }
  });

  test('tells on which side of which rate a method wins', () => {
    for (const { method, against, wins, atLatencyNs, dirtyBytesPerSecond } of boundaries) {
      const better = (scale: number): boolean =>
        costAt(criterion, method, scale, atLatencyNs) <= costAt(criterion, against, scale, atLatencyNs);
      expect(dirtyBytesPerSecond === null).toBe(wins === 'always' || wins === 'never');
      expect(better(0)).toBe(wins === 'always' || wins === 'below');
      if (dirtyBytesPerSecond === null) continue;
      const after = result.dirtyBytesPerSecond.findIndex((rate) => rate >= dirtyBytesPerSecond);
      expect(better(after)).toBe(wins === 'above');
      expect(better(after - 1)).toBe(wins === 'below');
    }
  });
});

test('larger blocks need fewer requests, and report more', () => {
  const of = (name: string) => result.methods.find((one) => one.name === name)!;
  for (const [scale] of result.scales.entries()) {
    const [small, middle, large] = ['pri-log@4k', 'pri-log@64k', 'pri-log@2m'].map(of);
    expect(middle!.requests[scale]).toBeLessThan(small!.requests[scale]! * 1.01);
    expect(large!.requests[scale]).toBeLessThan(middle!.requests[scale]! * 1.01);
    expect(middle!.reportedBytes[scale]).toBeGreaterThan(small!.reportedBytes[scale]!);
    expect(large!.reportedBytes[scale]).toBeGreaterThan(middle!.reportedBytes[scale]!);
  }
});
