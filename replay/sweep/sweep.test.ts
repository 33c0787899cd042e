import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import type { Trace } from '../../traces/trace.ts';
import { genericServer } from '../costs/generic-server.ts';
import { replayTrace } from '../engine/replay.ts';
import { withSettings } from '../hardware/profiles.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { TenantTrace } from '../tenants/tenant-trace.ts';
import { decodeTrace, decodedAsTrace } from './decoded-trace.ts';
import { mergeResults } from './merge-results.ts';
import { planPasses } from './passes.ts';
import { runPass, runPoint } from './run-pass.ts';
import { crossProduct, sweepPoint } from './sweep-point.ts';
import type { SweepParameter, SweepPoint, SweepQuestion, SweepResult } from './sweep-point.ts';

const TRACE = join(import.meta.dirname, '../../traces/corpus/vtd-vfio-7.2.iorr');
const QUESTION: SweepQuestion = { hardware: vtdServer, profile: genericServer, settings: [], counts: 'iotlb', seed: 1 };

function pointsOf(parameters: readonly SweepParameter[], question = QUESTION): readonly SweepPoint[] {
  return crossProduct(parameters).map((values) => sweepPoint('trace', '1', question, values));
}

async function withTrace<T>(use: (trace: Trace) => Promise<T>): Promise<T> {
  const trace = openTrace(TRACE);
  try {
    return await use(trace);
  } finally {
    trace.close();
  }
}

async function runAll(points: readonly SweepPoint[], trace: Trace): Promise<readonly SweepResult[]> {
  const results: SweepResult[] = [];
  for (const pass of planPasses(points)) results.push(...(await runPass(pass, trace)));
  return mergeResults(points, results).results;
}

describe('points', () => {
  test('a cross product, the last list fastest', () => {
    const lists = [
      { name: 'a', values: [1, 2] },
      { name: 'b', values: ['x', 'y'] },
    ];
    expect(crossProduct(lists).map(({ a, b }) => `${a}${b}`)).toEqual(['1x', '1y', '2x', '2y']);
  });

  test('an id is that of what the point asks, of which trace and version', () => {
    const id = sweepPoint('t', '1', QUESTION, { sets: 4, ways: 2 }).id;
    expect(sweepPoint('t', '1', QUESTION, { ways: 2, sets: 4 }).id).toBe(id);
    const others = [
      sweepPoint('u', '1', QUESTION, { sets: 4, ways: 2 }),
      sweepPoint('t', '2', QUESTION, { sets: 4, ways: 2 }),
      sweepPoint('t', '1', { ...QUESTION, counts: 'all' }, { sets: 4, ways: 2 }),
      sweepPoint('t', '1', QUESTION, { sets: 4, ways: 3 }),
    ];
    expect(new Set([id, ...others.map((other) => other.id)]).size).toBe(5);
  });

  test('survive a journey as JSON', () => {
    const [point] = pointsOf([{ name: 'ways', values: [2, 4] }]);
    const copy = JSON.parse(JSON.stringify(point)) as SweepPoint;
    expect(planPasses([copy])[0]?.points[0]?.hardware).toEqual(planPasses([point!])[0]?.points[0]?.hardware);
  });
});

describe('results', () => {
  const points = pointsOf([{ name: 'ways', values: [1, 2, 4, 8, 16] }]);
  const results = points.map(({ id }, i): SweepResult => ({ id, metrics: { misses: i }, caveats: [] }));

  test('merge to the same in any order, however often they come, and tell what is missing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { maxLength: 20 }), (order) => {
        const merged = mergeResults(
          points,
          order.map((i) => results[i]!),
        );
        expect(merged.results).toEqual(results.filter((_, i) => order.includes(i)));
        expect(merged.missing).toEqual(points.filter((_, i) => !order.includes(i)));
      }),
    );
  });

  test('two of one point that differ are refused', () => {
    const [first] = results;
    expect(() => mergeResults(points, [first!, { ...first!, metrics: { misses: 99 } }])).toThrow(/two results/);
  });

  test('those of other points are left out', () => {
    expect(mergeResults(points.slice(0, 1), results).results).toEqual(results.slice(0, 1));
  });
});

describe('passes', () => {
  test('geometries of one bank that replace the least recently used entry share one', () => {
    const shared = pointsOf([
      { name: 'sets', values: [1, 2, 4, 8, 16, 32, 64, 128] },
      { name: 'ways', values: [1, 2, 3, 4, 5, 6, 7, 8] },
    ]);
    expect(planPasses(shared)).toHaveLength(1);
    const replacement = pointsOf([
      { name: 'iotlb.replacement', values: [0, 1, 2, 3] },
      { name: 'ways', values: [2, 4] },
    ]);
    expect(planPasses(replacement).map(({ kind, points }) => `${kind} ${points.length}`)).toEqual([
      'stacks 2',
      ...Array.from({ length: 6 }, () => 'replay 1'),
    ]);
    expect(planPasses(pointsOf([{ name: 'ways', values: [2, 4] }], { ...QUESTION, counts: 'all' }))).toHaveLength(2);
  });

  test('a shared pass, a pass of one and a replay give the same figures', async () => {
    const points = pointsOf([
      { name: 'sets', values: [1, 4, 64] },
      { name: 'ways', values: [1, 4] },
      { name: 'iotlb.hashed', values: [0, 1] },
    ]);
    await withTrace(async (trace) => {
      const shared = await runAll(points, trace);
      expect(planPasses(points)).toHaveLength(2);
      for (const [i, point] of points.entries()) {
        const settings = Object.entries(point.values).map(([name, value]) => `${name}=${value}`);
        const { iotlb } = replayTrace(trace, { hardware: withSettings(vtdServer, settings) });
        expect(await runPoint(point, trace)).toEqual(shared[i]);
        expect(shared[i]?.metrics).toMatchObject({ misses: iotlb?.misses, conflict: iotlb?.causes.conflict });
      }
    });
  });

  test('misses alone are the same, counted or replayed, one or many', async () => {
    const question = { ...QUESTION, counts: 'misses' as const };
    const lists = [
      { name: 'iotlb.sets', values: [1, 4, 64] },
      { name: 'iotlb.ways', values: [1, 4] },
      // the last one is no stack
      { name: 'iotlb.replacement', values: [0, 2] },
    ];
    await withTrace(async (trace) => {
      const points = pointsOf(lists, question);
      const counted = await runAll(points, trace);
      const told = await runAll(pointsOf(lists), trace);
      expect(counted.map(({ metrics }) => metrics['misses'])).toEqual(told.map(({ metrics }) => metrics['misses']));
      expect(Object.keys(counted[0]?.metrics ?? {})).toEqual(['lookups', 'misses', 'missRatio']);
      for (const [i, point] of points.entries()) expect(await runPoint(point, trace)).toEqual(counted[i]);
    });
  });

  test('designs and cores are rows of one comparison, and each point is the same alone', async () => {
    const points = pointsOf([
      { name: 'design', values: ['linux-strict', 'linux-lazy'] },
      { name: 'cores', values: [1, 4] },
    ]);
    expect(planPasses(points)).toHaveLength(1);
    await withTrace(async (trace) => {
      const together = await runAll(points, trace);
      for (const [i, point] of points.entries()) expect(await runPoint(point, trace)).toEqual(together[i]);
      expect(together[0]?.metrics['submissionsPerSecond']).not.toBeNull();
      expect(together[0]?.metrics['submissionsPerSecond']).not.toBe(together[1]?.metrics['submissionsPerSecond']);
    });
  });

  test('tenants play the trace, each number in passes of its own', async () => {
    const clones = { pages: 'keyed' as const, spreadNs: 1_000_000 };
    const points = pointsOf(
      [
        { name: 'tenants', values: [1, 3] },
        { name: 'ways', values: [1, 4] },
      ],
      { ...QUESTION, clones },
    );
    expect(planPasses(points).map(({ points: { length } }) => length)).toEqual([2, 2]);
    await withTrace(async (trace) => {
      const results = await runAll(points, trace);
      const { caveats: _, ...alone } = await runPoint(pointsOf([{ name: 'ways', values: [4] }])[0]!, trace);
      expect(results[1]?.metrics).toEqual(alone.metrics);
      const three = new TenantTrace([trace], { ...clones, tenants: 3, seed: QUESTION.seed });
      for (const [i, ways] of [1, 4].entries()) {
        const { iotlb } = replayTrace(three, { hardware: withSettings(vtdServer, [`ways=${ways}`]) });
        expect(results[2 + i]?.metrics).toMatchObject({ lookups: iotlb?.lookups, misses: iotlb?.misses });
        expect(await runPoint(points[2 + i]!, trace)).toEqual(results[2 + i]);
      }
    });
  });

  test('values that nothing takes are told', () => {
    expect(() => planPasses(pointsOf([{ name: 'tenants', values: [1, 0.5] }]))).toThrow(/whole numbers from 1/);
    expect(() => planPasses(pointsOf([{ name: 'wayz', values: [1, 2] }]))).toThrow(/wayz/);
    expect(() => planPasses(pointsOf([{ name: 'ways', values: [0, 1] }]))).toThrow(/whole number/);
    expect(() => planPasses(pointsOf([{ name: 'cores', values: [1, 2] }]))).toThrow(/of designs/);
    expect(() => planPasses(pointsOf([{ name: 'design', values: ['linux-strikt', 'x'] }]))).toThrow(/linux-strikt/);
  });
});

test('a decoded trace is the trace', async () => {
  await withTrace(async (trace) => {
    const again = decodedAsTrace(decodeTrace(trace));
    const { wallNs: _, eventsPerSecond: __, ...figures } = replayTrace(again, { hardware: vtdServer });
    expect(replayTrace(trace, { hardware: vtdServer })).toMatchObject(figures);
    expect(replayTrace(again, { hardware: vtdServer })).toMatchObject(figures);
    return Promise.resolve();
  });
});
