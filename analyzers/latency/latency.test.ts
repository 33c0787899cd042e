import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { latencyText, medianBars } from './latency-text.ts';
import { analyzeLatency } from './latency.ts';
import type { LatencyResult } from './latency.ts';
import { SpanTally } from './span-kinds.ts';

const CORPUS = new URL('../../traces/corpus/', import.meta.url).pathname;
const open = (name: string) => openTrace(join(CORPUS, `${name}.iorr`));

describe('latency of a guest with page requests', () => {
  const trace = open('vtd-pri-pasid-7.2');
  afterAll(() => trace.close());
  const result = analyzeLatency(trace);

  test('each group is joined with its response', () => {
    expect(result.faults).toMatchObject({
      requests: 1005,
      groups: 735,
      responses: 735,
      unanswered: 0,
      orphans: 0,
      givenUp: 0,
    });
    expect(result.faults?.spans.map(({ name, count }) => [name, count])).toEqual([['0000:01:00.0', 735]]);
  });

  test('commands are timed from their submission, and parts of the trace add up to the whole', () => {
    const names = result.commands?.map(({ name }) => name) ?? [];
    expect(names).toContain('vtd wait');
    expect(names).toContain('vtd page-response');
    for (const { count, bins, ns, sumNs } of result.commands ?? []) {
      expect(bins).toHaveLength(60);
      expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(count);
      expect(Math.max(...bins.map((bin) => bin.max))).toBe(ns.max);
      expect(ns.mean).toBeCloseTo(sumNs / count, 6);
      expect([ns.min, ns.p50, ns.p90, ns.p95, ns.p99, ns.p999, ns.max]).toEqual(
        [ns.min, ns.p50, ns.p90, ns.p95, ns.p99, ns.p999, ns.max].toSorted((a, b) => a - b),
      );
    }
    expect(result.ioctls).toBeNull();
  });

  test('for people', () => {
    const text = latencyText('a\u001b[31m.iorr', result);
    expect(text).not.toContain('\u001b');
    expect(text).toMatch(/\n1\s005 page requests, 735 groups, 735 responses/);
    expect(text).toContain('Calls: none of known duration');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
  });
});

test('latency of calls', () => {
  const trace = open('vtd-vfio-7.2-ioctl');
  const { commands, ioctls, faults } = analyzeLatency(trace);
  trace.close();
  expect(commands).toBeNull();
  expect(faults).toBeNull();
  const map = ioctls?.find(({ name }) => name === 'IOMMU_IOAS_MAP');
  expect(map?.count).toBe(203);
  expect(map?.ns.max).toBeGreaterThan(map?.ns.p50 ?? Infinity);
});

describe('spans', () => {
  test('quantiles are exact', () => {
    const tally = new SpanTally(2);
    for (let i = 1; i <= 1000; i++) tally.add(i <= 500 ? 0 : 1, i);
    const { ns, bins, sumNs } = tally.report('x', 10, 5);
    expect(ns).toEqual({ min: 1, p50: 500, p90: 900, p95: 950, p99: 990, p999: 999, max: 1000, mean: 500.5 });
    expect(sumNs).toBe(500_500);
    expect(bins).toEqual([
      { startNs: 10, count: 500, p50: 250, p99: 495, max: 500 },
      { startNs: 15, count: 500, p50: 750, p99: 995, max: 1000 },
    ]);
  });

  test('bars: a part without spans is blank, steps are factors', () => {
    const bin = (p50: number) => ({ startNs: 0, count: p50 === 0 ? 0 : 1, p50, p99: p50, max: p50 });
    expect(medianBars([bin(1), bin(0), bin(10), bin(100)], 4)).toBe('▁ ▅█');
    expect(medianBars([bin(7), bin(7)], 2)).toBe('▅▅');
    expect(medianBars([bin(0)], 1)).toBe('');
  });
});

test('a trace without anything that takes time is told apart from a fast one', () => {
  const nothing: LatencyResult = { startNs: 0, binNs: 1, commands: null, ioctls: null, faults: null };
  expect(latencyText('x.iorr', nothing)).toContain('unknown');
});
