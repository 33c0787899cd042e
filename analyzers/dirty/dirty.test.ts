import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ACCESS, DIRTY_OP, DIRTY_SPACE, OUTCOME, STREAM_ID } from '../../traces/schema.ts';
import { bars, dirtyText } from './dirty-text.ts';
import { analyzeDirty } from './dirty.ts';
import type { DirtyResult } from './dirty.ts';
import type { HarvestEstimate } from './harvest-estimate.ts';
import { Footprint, windowLengths } from './footprint.ts';
import { PageIndex, keyHigh, pageOf, spaceOf } from './page-index.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const HEADER: TraceHeader = testHeader({ fidelity: { dma: 'full' } });

function analyze(name: string): DirtyResult {
  const trace = openTrace(join(import.meta.dirname, `../../traces/corpus/${name}.iorr`));
  try {
    return analyzeDirty(trace);
  } finally {
    trace.close();
  }
}

describe('a migration', () => {
  const result = analyze('migration-dirty');
  const { migration, writes, harvested } = result;

  test('pages that became dirty between synchronisations are those that QEMU counted; exceptions are listed, each explained', () => {
    expect(migration).toMatchObject({ compared: 22, agreed: 19, explained: 3, pages: 86_562, reported: 86_474 });
    const { syncs = [], pages = 0, reported = 1 } = migration ?? {};
    expect(Math.abs(pages / reported - 1)).toBeLessThan(0.01);
    expect(syncs).toHaveLength(23);
    expect(syncs[0]).toMatchObject({ agrees: null, why: null });
    const others = syncs.filter((sync) => sync.agrees === false);
    expect(others.map(({ event, waiting }) => [event, waiting])).toEqual([
      [353_916, 71],
      [392_891, 8],
      [401_530, 9],
    ]);
    for (const sync of others) {
      expect(sync.pages - sync.waiting).toBe(sync.reported);
      expect(sync.why).toContain(`${sync.waiting} fewer: so many of the pages were still to be sent`);
    }
    for (const sync of syncs.slice(1)) if (sync.agrees === true) expect(sync.pages).toBe(sync.reported);
  });

  test('passes, pages sent, states and throttling are as recorded', () => {
    expect(migration).toMatchObject({ passes: 22, passesReported: 22, sentPages: 121_834 });
    expect(migration?.states.map(({ state }) => state)).toEqual(['setup', 'active', 'STOP', 'device', 'completed']);
    expect(migration?.throttle.map(({ percent }) => percent)).toEqual([30, 40, 50, 60, 70]);
    expect(result.memoryBytes).toBe(286_072_832);
    expect(result.measuredRates.map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([15 * 2 ** 20, 0]);
  });

  test('figures add up', () => {
    expect(result.source).toBe('ram');
    expect(writes).toMatchObject({ writes: 192_787, pages: 25_688 });
    const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
    expect(sum(writes?.rate.writes ?? [])).toBe(192_787);
    const bands = writes?.heat.bands ?? [];
    for (const [bin, pages] of (writes?.rate.pages ?? []).entries()) {
      expect(sum(bands.map((band) => band.pages[bin] ?? 0))).toBe(pages);
    }
    const curve = writes?.workingSet ?? [];
    expect(curve.at(-1)?.pages).toBe(25_688);
    for (const [i, point] of curve.entries()) expect(point.pages).toBeGreaterThanOrEqual(curve[i - 1]?.pages ?? 0);
    for (const set of writes?.hotSets ?? []) {
      expect([set.hot50, set.hot90, set.hot99, set.pages]).toEqual(
        [set.hot50, set.hot90, set.hot99, set.pages].toSorted((a, b) => a - b),
      );
    }
    // what a harvest of 4 KiB pages reports is what became dirty
    expect(harvested?.count).toBe(22);
    expect(harvested?.overReporting[0]).toMatchObject({ leafBytes: 4096, reportedPages: 86_562, factor: 1 });
    expect(harvested?.intervals.map(({ pages }) => pages)).toEqual(migration?.syncs.slice(1).map(({ pages }) => pages));
    const factors = harvested?.overReporting.map(({ factor }) => factor ?? 0) ?? [];
    expect(factors).toEqual(factors.toSorted((a, b) => a - b));
  });

  test('a harvest costs what its entries and leaves cost', () => {
    const { memoryBytes, rows = [], parameters } = result.estimates ?? {};
    expect(memoryBytes).toBe(286_072_832);
    const [small, , , large] = rows;
    // 4 KiB leaves, and the entries of two levels above them; the root
    expect(small).toMatchObject({
      entries: 69_842 + 137 + 1 + 1 + 1,
      cleared: 86_562 / 22,
      flushes: 1,
      bitmapBytes: 8731,
    });
    expect(large).toMatchObject({ leafBytes: 2 ** 21, entries: 137 + 1 + 1 + 1, cleared: 1230 / 22 });
    const value = (name: string): number => parameters?.find((parameter) => parameter.name === name)?.value ?? NaN;
    const more = (of: (row: HarvestEstimate) => number): number => of(small!) - of(large!);
    expect(more(({ ns }) => ns)).toBeCloseTo(
      more(({ entries }) => entries) * value('dirty.entry') +
        more(({ tables }) => tables) * value('dirty.table') +
        more(({ cleared }) => cleared) * value('dirty.clear'),
      3,
    );
    for (const row of rows) expect(row.nsPerGib).toBeCloseTo((row.ns / 286_072_832) * 2 ** 30, 6);
  });

  test('for people', () => {
    const text = dirtyText('a\u001b[31m.iorr', result);
    expect(text).not.toContain('\u001b');
    expect(text).toContain('19 of 22 agree');
    expect(text).toContain('22 passes, 22 by its own account');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(130);
  });
});

describe('dirty state that the kernel lost', () => {
  const { findings, lost, harvests, source } = analyze('iommufd-random');

  test('is found with its ioctl, its pages and its bytes; the recorded bitmaps lack them', () => {
    expect(source).toBe('harvest');
    expect(harvests).toMatchObject({ calls: 242, clearing: 155 });
    expect(lost).toEqual({ bytes: 114_688, calls: 25, defectBytes: 112_640, defectCalls: 25 });
    const defects = findings.filter(({ kind }) => kind === 'defect');
    expect(defects[0]).toMatchObject({
      event: 418,
      quirk: 'contiguous-dirty-tail',
      pages: 1,
      pageBytes: 2048,
      ranges: [{ iova: '0x1900800', bytes: 2048 }],
      cleared: true,
      seen: true,
    });
    for (const { bytes, pages, pageBytes, ranges, moreRanges } of findings) {
      expect(bytes).toBe(pages * pageBytes);
      if (moreRanges === 0) expect(ranges.reduce((sum, range) => sum + range.bytes, 0)).toBe(bytes);
    }
    const cleared = findings.filter((finding) => finding.cleared);
    expect(cleared.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(lost.bytes);
    // one bitmap was not recorded; the others lack the bits
    expect(defects).toHaveLength(36);
    expect(defects.filter(({ seen }) => seen === true)).toHaveLength(35);
  });
});

describe('writes of devices', () => {
  /** One write of a page a microsecond: 64 pages in turn, and one far away. */
  function written(): MemoryTrace {
    const trace = new MemoryTrace(HEADER);
    for (let i = 0; i < 2000; i++) {
      const row = trace.begin(STREAM_ID.dma, i * 1000, 0, 0);
      const { columns } = trace.rows.dma;
      columns.domain[row] = i % 100 === 99 ? 7 : 3;
      columns.iovaLo[row] = i % 100 === 99 ? 0 : 0x4000_0000 + (i % 64) * 4096 + 8;
      columns.iovaHi[row] = i % 100 === 99 ? 0xffff_ff00 | 0 : 0;
      columns.length[row] = 64;
      columns.access[row] = i % 50 === 7 ? ACCESS.read : ACCESS.write;
      columns.outcome[row] = i % 50 === 8 ? OUTCOME.fault : 0;
    }
    return trace;
  }

  test('reads and refused writes dirty nothing; a harvest is assumed each twentieth', () => {
    const { writes, harvested, source, caveats, migration } = analyzeDirty(written());
    expect(source).toBe('dma');
    expect(migration).toBeNull();
    expect(writes).toMatchObject({ writes: 1920, pages: 65 });
    expect(writes?.heat.bands.map(({ space }) => space)).toContain('domain 7');
    expect(writes?.heat.bands.at(-1)).toMatchObject({ start: '0xffffff0000000000' });
    expect(harvested?.count).toBe(20);
    expect(harvested?.overReporting[0]?.factor).toBe(1);
    expect(caveats.join()).toContain('a twentieth');
    expect(caveats.join()).toContain('40 writes were refused');
    // leaves of 1 GiB: both address spaces in all harvests
    expect(harvested?.overReporting.at(-1)).toMatchObject({ leafBytes: 2 ** 30, leaves: 40 });
  });

  test('where reads and writes are not told apart, what the translation permits decides', () => {
    const { writes, caveats } = analyze('amd-vfio-7.2');
    expect(writes?.writes).toBe(256);
    expect(caveats.join()).toContain('256 accesses tell neither');
    expect(caveats.join()).toContain('upper bounds');
    const permitted = analyze('vtd-pri-pasid-7.2');
    expect(permitted.writes?.writes).toBe(846);
    expect(permitted.caveats.join()).toContain('846 accesses through a writable translation count as writes');
  });

  test('a write over a boundary dirties both pages', () => {
    const trace = new MemoryTrace(HEADER);
    for (const time of [0, 10]) {
      const row = trace.begin(STREAM_ID.dirty, time, 0, 0);
      const { columns } = trace.rows.dirty;
      columns.op[row] = DIRTY_OP.write;
      columns.space[row] = DIRTY_SPACE.ram;
      columns.iovaLo[row] = 0xffc;
      columns.lengthLo[row] = 8;
    }
    expect(analyzeDirty(trace).writes).toMatchObject({ writes: 4, pages: 2 });
  });
});

describe('working set', () => {
  test('is the average over all windows, as if each was counted', () => {
    const times = fc.array(fc.tuple(fc.nat(200), fc.nat(5)), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 199 }), (writes, window) => {
        const sorted = writes.toSorted(([a], [b]) => a - b);
        const footprint = new Footprint([window, 200]);
        const last = new Map<number, number>();
        for (const [time, page] of sorted) {
          footprint.gap(time - (last.get(page) ?? 0));
          last.set(page, time);
        }
        for (const time of last.values()) footprint.gap(200 - time);
        // between whole times nothing changes: half-way stands for all of it
        let sum = 0;
        for (let start = 0; start < 200 - window; start++) {
          const from = start + 0.5;
          sum += new Set(sorted.filter(([time]) => time > from && time < from + window).map(([, page]) => page)).size;
        }
        const [point, whole] = footprint.points(last.size);
        expect(point?.pages).toBeCloseTo(sum / (200 - window), 9);
        expect(whole?.pages).toBe(last.size);
      }),
    );
  });

  test('windows go up in steps of 1, 2 and 5 to the whole', () => {
    const lengths = windowLengths(3e9);
    expect(lengths[0]).toBe(50_000);
    expect(lengths.slice(-3)).toEqual([1e9, 2e9, 3e9]);
    expect(windowLengths(500)).toEqual([500]);
  });
});

test('pages are numbered by address space and number', () => {
  const page = fc.record({ space: fc.nat(2047), page: fc.bigInt(0n, 2n ** 52n - 1n) });
  fc.assert(
    fc.property(fc.array(page, { maxLength: 3000, size: 'max' }), (pages) => {
      const index = new PageIndex();
      const known = new Map<string, number>();
      for (const { space, page: number } of pages) {
        const lo = Number(BigInt.asIntN(32, number));
        const hi = keyHigh(Number(number >> 32n), space);
        const name = `${space} ${number}`;
        const got = index.of(lo, hi, 2000);
        const expected = known.get(name) ?? (known.size < 2000 ? known.size : -1);
        expect(got).toBe(expected);
        if (expected < 0) continue;
        known.set(name, expected);
        expect([spaceOf(index.hi(got)), pageOf(index.lo(got), index.hi(got))]).toEqual([space, Number(number)]);
      }
    }),
    { numRuns: 20 },
  );
});

test('bars are linear, and what is not 0 shows', () => {
  expect(bars([0, 1, 50, 100], 4)).toBe(' ▁▄█');
  expect(bars([0, 0], 2)).toBe('  ');
  expect(bars([1, 2, 3, 4], 2, 8)).toBe('▂▄');
});
