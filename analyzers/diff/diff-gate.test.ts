import { describe, expect, test } from 'vitest';
import { diffGate, parseDiffCondition, parseThreshold } from './diff-gate.ts';
import { METRIC_FAMILIES } from './diff-metrics.ts';
import type { DiffMetricResult } from './diff-result.ts';

function metric(
  change: number | null,
  interval: DiffMetricResult['interval'],
  more: Partial<DiffMetricResult> = {},
): DiffMetricResult {
  return {
    name: 'commands/unmap',
    unit: 'commands',
    better: 'less',
    kind: 'count',
    a: 1,
    b: 1 + (change ?? 1),
    change,
    interval,
    verdict: 'inconclusive',
    basis: 'resampled',
    noise: null,
    p: null,
    mannWhitney: null,
    ...more,
  };
}

describe('--fail-on', () => {
  test.each([
    ['commands/unmap > +2%', '>', 0.02],
    ['  maps/s<-5.5 % ', '<', -0.055],
    ['latency.vtd.wait.p99 >= 10%', '>=', 0.1],
    ['decode: packet-nic, all columns < −10%', '<', -0.1],
  ])('%s', (text, operator, limit) => {
    expect(parseDiffCondition(text)).toMatchObject({ kind: 'change', operator, limit });
  });

  test.each(['', 'commands/unmap', 'commands/unmap > 2', 'commands/unmap > ++2%', '> 2%', 'x'.repeat(5000)])(
    '%j is refused',
    (text) => {
      expect(() => parseDiffCondition(text)).toThrow(/--fail-on/);
    },
  );

  test.each([
    [0.03, [0.025, 0.035], 'breached'],
    [0.03, [0.01, 0.05], 'inconclusive'],
    [0.03, null, 'inconclusive'],
    [0.01, [-0.01, 0.05], 'passed'],
    [-0.5, [-0.6, -0.4], 'passed'],
    [null, [null, null], 'breached'],
  ] as const)('a change of %j with interval %j against +2 %%: %s', (change, interval, state) => {
    const gate = diffGate(
      [parseDiffCondition('commands/unmap > +2%')],
      { metrics: [metric(change, interval)], missing: [] },
      'counts',
    );
    expect(gate.conditions.map((condition) => condition.state)).toEqual([state]);
    expect(gate.breached).toBe(state === 'breached');
    expect(gate.metrics).toEqual(state === 'breached' ? ['commands/unmap'] : []);
  });

  test('worse looks at counts of traces, at all of benchmarks; none at nothing', () => {
    const slow = metric(-0.2, [-0.3, -0.1], { name: 'maps/s', kind: 'time', verdict: 'worse' });
    const judged = { metrics: [slow], missing: [] };
    expect(diffGate([parseDiffCondition('worse')], judged, 'counts').breached).toBe(false);
    expect(diffGate([parseDiffCondition('worse')], judged, 'all').metrics).toEqual(['maps/s']);
    expect(diffGate([parseDiffCondition('none')], judged, 'all')).toEqual({
      conditions: [],
      breached: false,
      metrics: [],
    });
  });

  test('a metric that is not there is told with what it lacks and the nearest name', () => {
    const judged = { metrics: [metric(0, [0, 0])], missing: [{ family: 'accesses', why: 'neither trace has dma' }] };
    const wrong = (): unknown => diffGate([parseDiffCondition('command/unmap > 1%')], judged, 'counts');
    expect(wrong).toThrow(/neither trace has dma/);
    expect(wrong).toThrow(expect.objectContaining({ code: 'USAGE', hint: "did you mean 'commands/unmap'?" }));
  });
});

test.each([
  ['1%', 0.01],
  ['0.5 %', 0.005],
  ['0.02', 0.02],
])('--threshold %s', (text, share) => {
  expect(parseThreshold(text)).toBeCloseTo(share, 12);
});

test.each(['', '-1%', '200%', '1 percent'])('--threshold %j is refused', (text) => {
  expect(() => parseThreshold(text)).toThrow(/--threshold/);
});

test('families and metrics have unique names, and need streams', () => {
  const sources = {
    quantities: new Set(['command:vtd.iotlb', 'ioctl:IOMMU_IOAS_MAP', 'flush:all', 'mapCalls']),
    samples: new Set(['lag:vtd.wait', 'ioctl:IOMMU_IOAS_MAP', 'pageGroup', 'dirtySync', 'dirtyHarvest']),
  };
  const names = METRIC_FAMILIES.flatMap((family) => family.metrics(sources).map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(METRIC_FAMILIES.map(({ name }) => name)).size).toBe(METRIC_FAMILIES.length);
  for (const family of METRIC_FAMILIES) {
    expect(family.streams.length).toBeGreaterThan(0);
    expect(family.metrics(sources).length).toBeGreaterThan(0);
  }
});
