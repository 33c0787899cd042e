import { describe, expect, test } from 'vitest';
import { baseRow, comparedRows, valueOf } from './comparison.ts';
import { compareReport, compareResult, tenDesigns } from './fixtures/results.ts';
import { caveatsOf } from './health-lines.ts';
import { METRICS, bestValue, metricsOf } from './metrics.ts';

describe('the rows of a comparison', () => {
  test('begin with what was recorded; changes are against the first design', () => {
    const rows = comparedRows(compareResult());
    expect(rows.map((row) => row.label)).toEqual(['recorded', 'linux-strict', 'linux-lazy']);
    expect(rows.map((row) => row.number)).toEqual([0, 0, 1]);
    expect(baseRow(rows)?.label).toBe('linux-strict');
  });

  test('have labels that tell them apart', () => {
    const labels = comparedRows(tenDesigns()).map((row) => row.label);
    expect(labels).toContain('linux-strict · trapped');
    expect(new Set(labels).size).toBe(labels.length);
    const [strict] = compareResult().designs;
    if (strict === undefined) throw new Error('no design');
    const twins = comparedRows(compareResult({ designs: [strict, strict] })).map((row) => row.label);
    expect(twins).toEqual(['recorded', 'linux-strict', 'linux-strict (2)']);
  });

  test('know nothing of what a recording can not show', () => {
    const [recorded, strict] = comparedRows(compareResult());
    const [cpu, commands] = metricsOf('cpuNs', 'commands');
    if (!recorded || !strict || !cpu || !commands) throw new Error('no rows');
    expect(valueOf(cpu, recorded)).toBeNull();
    expect(valueOf(commands, recorded)).toBe(recorded.design.commands);
    expect(valueOf(cpu, strict)).toBe(strict.design.cpuNs);
  });
});

describe('the metrics', () => {
  test('have unique keys, each a name in the document unless it is computed', () => {
    expect(new Set(METRICS.map((metric) => metric.key)).size).toBe(METRICS.length);
    const [design] = compareResult().designs;
    for (const metric of METRICS.filter(({ unit, computed }) => unit !== 'share' && computed !== true)) {
      const { key } = metric;
      const found = key.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], design);
      expect([key, found]).toEqual([key, design && metric.value(design)]);
    }
    expect(() => metricsOf('nonsense')).toThrow(RangeError);
  });

  test('point at a best value only where there is one', () => {
    const { designs } = compareResult();
    const [commands, hitRate, unmaps, pages] = metricsOf('commands', 'iotlb.hitRate', 'unmaps', 'exposure.pages');
    if (!commands || !hitRate || !unmaps || !pages) throw new Error('no metrics');
    expect(bestValue(commands, designs)).toBe(designs[1]?.commands);
    expect(bestValue(hitRate, designs)).toBeCloseTo((designs[1]?.iotlb?.hits ?? 0) / (designs[1]?.iotlb?.lookups ?? 1));
    expect(bestValue(unmaps, designs)).toBeNull();
    expect(bestValue(pages, designs)).toBeNull();
    expect(bestValue(commands, designs.slice(0, 1))).toBeNull();
  });
});

describe('caveats', () => {
  test('say first what the input lost, and say it once', () => {
    const lossy = { ...compareReport().health, lost: 7, truncated: 1 };
    const silent = compareReport(compareResult({ caveats: ['no accesses'] }), { health: lossy });
    expect(caveatsOf(silent)).toEqual([
      'The source lost 7 events while recording: counts are lower bounds.',
      'The input is cut short in 1 place: what is missing is not counted.',
      'No accesses.',
    ]);
    const speaking = compareReport(compareResult({ caveats: ['7 events were lost while recording'] }), {
      health: lossy,
    });
    expect(caveatsOf(speaking)).toEqual([
      'The input is cut short in 1 place: what is missing is not counted.',
      '7 events were lost while recording.',
    ]);
  });
});
