import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_PHASES, MAX_POINTS, chartData, phasesOf } from './chart-data.ts';
import {
  compareReport,
  compareResult,
  emptyResult,
  hostileReport,
  idleAfterwards,
  unknownResult,
} from './fixtures/results.ts';
import type { TimeSeries } from '../../replay/results.ts';

function withSeries(all: readonly TimeSeries[]): ReturnType<typeof compareReport> {
  const [design] = compareResult().designs;
  if (design === undefined) throw new Error('no design');
  const designs = all.map((series, i) => ({ ...design, name: `d${i}`, series }));
  return compareReport(compareResult({ recorded: null, designs, marks: [] }));
}

function flat(binNs: number, startNs: number, commands: readonly number[], over: Partial<TimeSeries> = {}): TimeSeries {
  return {
    binNs,
    startNs,
    commands,
    syncs: commands,
    lookups: commands,
    hits: commands,
    exposedPages: commands,
    ...over,
  };
}

function sum(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}

describe('what the charts draw', () => {
  test('rates are per second, in the middle of each bin', () => {
    const { time } = chartData(withSeries([flat(500e6, 2e9, [5, 0, 7])]));
    expect(time).toMatchObject({ binNs: 500e6, x: [2.25, 2.75, 3.25], commands: [[10, 0, 14]] });
  });

  test('a hit rate without lookups is no point', () => {
    const series = flat(1e9, 0, [1, 1, 1], { lookups: [4, 0, 3], hits: [1, 0, 3] });
    expect(chartData(withSeries([series])).time?.hitRate).toEqual([[25, null, 100]]);
  });

  test('exposure keeps the most of the bins that it joins', () => {
    const peak = Array.from({ length: 3000 }, (_, i) => (i === 1501 ? 77 : 1));
    const { time } = chartData(withSeries([flat(1e6, 0, peak)]));
    expect(time?.binNs).toBe(3e6);
    expect(Math.max(...(time?.exposed?.[0] ?? []).map((value) => value ?? 0))).toBe(77);
  });

  test('series of different starts and lengths share one axis', () => {
    const { time } = chartData(withSeries([flat(1e9, 0, [1, 1]), flat(1e9, 1e9, [2, 2])]));
    expect(time?.commands).toEqual([
      [1, 1, null],
      [null, 2, 2],
    ]);
  });

  test('any series is drawn with few points and nothing of it is lost', () => {
    const anySeries = fc.record({
      binNs: fc.integer({ min: 1, max: 1e9 }),
      startNs: fc.integer({ min: 0, max: 1e12 }),
      commands: fc.array(fc.nat(1000), { minLength: 1, maxLength: 5000 }),
    });
    fc.assert(
      fc.property(anySeries, ({ binNs, startNs, commands }) => {
        const { time } = chartData(withSeries([flat(binNs, startNs, commands)]));
        expect(time).not.toBeNull();
        expect(time?.x.length).toBeLessThanOrEqual(MAX_POINTS);
        expect(time?.commands[0]?.length).toBe(time?.x.length);
        const drawn = sum(time?.commands[0] ?? []) * ((time?.binNs ?? 0) / 1e9);
        expect(Math.abs(drawn - sum(commands))).toBeLessThanOrEqual(sum(commands) * 1e-3 + 1e-9);
      }),
      { numRuns: 60 },
    );
  });

  test('the distribution spans the buckets that hold pages', () => {
    const { exposure } = chartData(compareReport());
    expect(exposure?.pages.every((pages) => pages.length === exposure.last - exposure.first + 1)).toBe(true);
    expect(exposure?.pages.some((pages) => (pages[0] ?? 0) > 0)).toBe(true);
    expect(exposure?.pages.some((pages) => (pages.at(-1) ?? 0) > 0)).toBe(true);
  });

  test('unknown is not 0, and nothing is nothing', () => {
    const unknown = chartData(compareReport(unknownResult()));
    expect(unknown.time?.hitRate).toBeNull();
    expect(unknown.time?.exposed).toBeNull();
    expect(unknown.exposure).toBeNull();
    const empty = chartData(compareReport(emptyResult()));
    expect(empty.time).toBeNull();
    expect(empty.exposure).toBeNull();
    expect(empty.phases).toEqual([]);
  });
});

describe('the part that the charts begin with', () => {
  test('is the workload where it is most of the work and less than the trace', () => {
    expect(chartData(compareReport()).focus).toBeNull();
    const [from, to] = chartData(compareReport(idleAfterwards())).focus ?? [0, 0];
    expect(from).toBeCloseTo(9.05);
    expect(to).toBeCloseTo(49.8);
    const elsewhere = idleAfterwards().marks.map((mark) => ({ ...mark, t: mark.t + 39e9 }));
    expect(chartData(compareReport({ ...idleAfterwards(), marks: elsewhere })).focus).toBeNull();
    expect(chartData(compareReport({ ...idleAfterwards(), marks: [] })).focus).toBeNull();
  });
});

describe('phases of the workload', () => {
  test('last until the next mark, without what all marks begin with', () => {
    const phases = phasesOf(compareReport());
    expect(phases.slice(0, 2)).toEqual([
      { from: 9, to: 13, name: 'dd-blk' },
      { from: 13, to: 21, name: 'fio-blk-randrw' },
    ]);
    expect(phases.at(-1)).toEqual({ from: 49, to: 49, name: 'end' });
  });

  test('are sorted, few, and of printable names', () => {
    const marks = Array.from({ length: 5000 }, (_, i) => ({ t: (5000 - i) * 1e6, text: `m${i}` }));
    const phases = phasesOf(compareReport(compareResult({ marks })));
    expect(phases.length).toBe(MAX_PHASES);
    expect(phases.every((phase) => phase.to >= phase.from)).toBe(true);
    for (const phase of phasesOf(hostileReport())) expect(phase.name).not.toMatch(/[\u0000-\u001f\u202e]/);
  });
});
