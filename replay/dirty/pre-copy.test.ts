import { describe, expect, test } from 'vitest';
import { costsOf } from '../costs/cost-profile.ts';
import { genericServer } from '../costs/generic-server.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { dirtyMethods } from './dirty-methods.ts';
import { dirtyParameter } from './dirty-parameters.ts';
import { HarvestCosts } from './harvest-costs.ts';
import type { PartTime } from './harvest-costs.ts';
import { harvestTables } from './harvest-tables.ts';
import { preCopy } from './pre-copy.ts';
import { sketchedStream } from './testing/sketched-stream.ts';
import type { Sketch } from './testing/sketched-stream.ts';
import { Tracking } from './tracking.ts';

const MEMORY = 16_384;
const SECOND = 1e9;

/** A writer that goes round `hot` pages, one each `gap` ns, for a second; over a link of so many pages a second. */
function migrate(
  hot: number,
  gap: number,
  pagesPerSecond: number,
  downtime: number,
  set: readonly [string, number][] = [],
) {
  const writes = Array.from(
    { length: Math.floor(SECOND / gap) },
    (_, i): Sketch => ({ what: 'write', page: i % hot, at: 1 + i * gap }),
  );
  const stream = sketchedStream([{ what: 'map', page: 0, pages: MEMORY, at: 0 }, ...writes], SECOND);
  const tables = harvestTables('vtd-second-stage', vtdServer);
  const [row] = dirtyMethods('ad-bits@4k', tables);
  const parameter = dirtyParameter(new Map(set));
  const costs = new HarvestCosts(costsOf(genericServer), parameter, row!.method, false);
  const method = row!.method.create(row!.value, {
    hardware: vtdServer,
    tables,
    flush: true,
    contiguousDefect: false,
    mergeAfter: 2,
  });
  const tracking = new Tracking({ stream, method, costs, chunkPages: 2 ** 18 });
  return preCopy(tracking, {
    costs,
    parameter,
    threads: 1,
    linkBytesPerSecond: pagesPerSecond * 4096,
    downtimeLimitNs: downtime,
  });
}

describe('pre-copy', () => {
  test('a writer slower than the link: each pass is shorter by the ratio of the two', () => {
    // 20,000 pages a second written, 100,000 sent: 164 ms, 33 ms, 6.6 ms ...
    const { converged, passes, throttle, downtimeNs, totalNs, sentPages, resentPages } = migrate(
      MEMORY,
      50_000,
      100_000,
      1e6,
    );
    expect(converged).toBe(true);
    expect(throttle).toBe(0);
    expect(passes.map(({ sent }) => sent).slice(0, 1)).toEqual([MEMORY]);
    for (const [i, pass] of passes.entries()) {
      const next = passes[i + 1];
      expect(pass.reported).toBe(pass.dirty);
      if (next !== undefined) expect(next.sent).toBe(pass.reported);
      expect(pass.reported / pass.sent).toBeGreaterThan(0.19);
      expect(pass.reported / pass.sent).toBeLessThan(0.3);
    }
    expect(passes.length).toBe(4);
    expect(downtimeNs).toBeLessThan(2e6);
    expect(sentPages - MEMORY).toBe(resentPages);
    expect(totalNs).toBeGreaterThan((MEMORY / 100_000) * SECOND);
  });

  test('a hot set that is written faster than it is sent never fits the downtime', () => {
    const { converged, downtimeNs, passes } = migrate(8000, 10_000, 10_000, 1e6, [['precopy.auto-converge', 0]]);
    expect([converged, downtimeNs, passes.length]).toEqual([false, null, 30]);
    // after the first pass, all of the hot set each time
    expect(passes.slice(1).every(({ sent }) => sent === 8000)).toBe(true);
  });

  test('throttling by 20 %, then 10 % more each time, lets it end', () => {
    const { converged, passes, throttle, repeats } = migrate(8000, 50_000, 16_000, 50e6, [['precopy.passes', 100]]);
    expect(converged).toBe(true);
    expect(throttle).toBeGreaterThan(20);
    const held = [...new Set(passes.map((pass) => pass.throttle))];
    expect(held.slice(0, 3)).toEqual([0, 20, 30]);
    expect(Math.max(...held)).toBeLessThanOrEqual(99);
    expect(repeats).toBeGreaterThan(1);
  });

  test('at a constant rate the passes are a geometric series', () => {
    // 25,000 pages a second written, 100,000 sent: a quarter each time, in all 4 / 3 of the memory
    const zero: [string, number][] = [
      ['dirty.entry', 0],
      ['dirty.table', 0],
      ['dirty.clear', 0],
      ['dirty.range', 0],
      ['dirty.bandwidth', 1e6],
      ['dirty.call', 0],
    ];
    const { passes, sentPages, sentBytes, totalNs } = migrate(MEMORY, 40_000, 100_000, 1e6, zero);
    const ratio = (25_000 / 100_000) * (4104 / 4096);
    for (const [i, pass] of passes.entries()) {
      expect(Math.abs(pass.sent - MEMORY * ratio ** i)).toBeLessThanOrEqual(4 + i);
    }
    expect(Math.abs(sentPages / (MEMORY / (1 - ratio)) - 1)).toBeLessThan(0.005);
    expect(sentBytes).toBe(sentPages * 4104);
    expect(Math.abs(totalNs / ((sentBytes / (100_000 * 4096)) * SECOND) - 1)).toBeLessThan(0.002);
  });

  test('pages of zeroes shorten the first pass alone', () => {
    const all = migrate(MEMORY, 50_000, 100_000, 1e6);
    const half = migrate(MEMORY, 50_000, 100_000, 1e6, [['precopy.zero-share', 50]]);
    expect(half.zeroPages).toBe(MEMORY / 2);
    expect(half.passes[0]!.sent).toBe(MEMORY);
    expect(half.passes[0]!.durationNs / all.passes[0]!.durationNs).toBeCloseTo(0.5, 1);
    expect(half.sentBytes).toBe((half.sentPages - MEMORY / 2) * 4104 + (MEMORY / 2) * 9);
  });

  test('the downtime is the last harvest, and what is sent after it', () => {
    // a harvest of 30 ms, and then what was written in its time: 600 pages at the end of the passes, and 600 more
    const { passes, downtimeNs } = migrate(MEMORY, 50_000, 100_000, 60e6, [['dirty.call', 30e6]]);
    const last = passes.at(-1)!;
    const onLink = ((last.reported + 600) * 4104 * SECOND) / (100_000 * 4096);
    expect(downtimeNs! - onLink).toBeGreaterThan(30e6);
    expect(downtimeNs! - onLink).toBeLessThan(32e6);
  });

  test('a longer downtime ends sooner', () => {
    const short = migrate(MEMORY, 50_000, 100_000, 1e6);
    const long = migrate(MEMORY, 50_000, 100_000, 100e6);
    expect(long.passes.length).toBeLessThan(short.passes.length);
    expect(long.downtimeNs ?? 0).toBeGreaterThan(short.downtimeNs ?? 0);
  });
});

describe('threads', () => {
  const part = (parallel: number, serial = 0, bytes = 0): PartTime => ({ parallel, serial, bytes });
  const [row] = dirtyMethods('ad-bits@4k', harvestTables('vtd-second-stage', vtdServer));
  const costs = new HarvestCosts(costsOf(genericServer), dirtyParameter(new Map()), row!.method, false);
  const uneven = [part(8), part(1), part(1), part(1), part(1), part(4)];

  test('one takes the sum', () => {
    for (const order of [0, 1, 2]) expect(costs.wall(uneven, 1, order)).toBe(16);
  });

  test('the last of several decides, by who takes what', () => {
    expect(costs.wall(uneven, 2, 0)).toBe(10);
    expect(costs.wall(uneven, 2, 1)).toBe(10);
    expect(costs.wall(uneven, 2, 2)).toBe(8);
  });

  test('what is serial, and memory that all read, do not get faster', () => {
    expect(costs.wall([part(4, 3), part(4, 3)], 2, 0)).toBe(10);
    expect(costs.wall([part(4, 0, 500), part(4, 0, 500)], 2, 0)).toBe(100);
  });
});
