import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COST_PROFILES } from '../costs/cost-profiles.ts';
import { genericServer } from '../costs/generic-server.ts';
import { HARDWARE, withSettings } from '../hardware/profiles.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { crossProduct, sweepPoint } from './sweep-point.ts';
import type { SweepParameter, SweepPoint, SweepQuestion } from './sweep-point.ts';
import { parseResults, parseTask, resultsText, sweepTasks } from './sweep-tasks.ts';

const QUESTION: SweepQuestion = { hardware: vtdServer, profile: genericServer, settings: [], counts: 'all', seed: 1 };

function pointsOf(question: SweepQuestion, parameters: readonly SweepParameter[]): readonly SweepPoint[] {
  return crossProduct(parameters).map((values) => sweepPoint('trace', '1', question, values));
}

const POINTS = pointsOf(QUESTION, [
  { name: 'iotlb.sets', values: [16, 64] },
  { name: 'iotlb.ways', values: [1, 2, 4] },
]);
const [TASK] = sweepTasks(POINTS);
const TEXT = TASK?.text ?? '';

/** The text with a part replaced; the part must be there. */
function tampered(part: string, other: string): string {
  expect(TEXT).toContain(part);
  return TEXT.replace(part, other);
}

describe('tasks of a sweep', () => {
  test('a task for each reading of the trace; every point is in one', () => {
    expect(sweepTasks(POINTS)).toHaveLength(6);
    expect(
      sweepTasks(pointsOf({ ...QUESTION, counts: 'iotlb' }, [{ name: 'iotlb.ways', values: [1, 2, 4] }])),
    ).toHaveLength(1);
    const ids = sweepTasks(POINTS).map(({ id }) => id);
    expect(new Set(ids).size).toBe(6);
    expect(ids.every((id) => /^[0-9a-f]{64}$/.test(id))).toBe(true);
    expect(sweepTasks(POINTS).flatMap(({ points }) => points)).toHaveLength(6);
  });

  test.each(HARDWARE.map((hardware) => [hardware.name, hardware] as const))(
    'points on %s read as they were',
    (_name, hardware) => {
      for (const counts of ['misses', 'iotlb', 'all'] as const) {
        const points = pointsOf(
          { ...QUESTION, hardware, counts, driver: 'vtd', access: 'ring', clones: { pages: 'keyed' } },
          [{ name: 'walk-cache.l1', values: [4, 8] }],
        );
        expect(
          sweepTasks(points)
            .flatMap(({ text }) => parseTask(text))
            .map(({ id }) => id)
            .sort(),
        ).toEqual(points.map(({ id }) => id).sort());
      }
    },
  );

  test.each(COST_PROFILES.map((profile) => [profile.name, profile] as const))(
    'points with the costs %s, set and fitted',
    (_name, profile) => {
      const fitted = profile.parameters.map((parameter) => ({ ...parameter, interval: [1, 2] as const, n: 30 }));
      const hardware = withSettings(vtdServer, ['iotlb.sets=32', 'iotlb.ways=8']);
      const points = pointsOf(
        { ...QUESTION, hardware, profile: { ...profile, parameters: fitted }, settings: ['cpu.poll=7'] },
        [{ name: 'design', values: ['linux-strict', 'batch-n@8'] }],
      );
      expect(sweepTasks(points).flatMap(({ text }) => parseTask(text))).toEqual(
        sweepTasks(points).flatMap((task) => task.points),
      );
    },
  );

  test.each([
    ['another value than the id says', '"iotlb.ways":1', '"iotlb.ways":2'],
    ['sets without end', '"value":64', '"value":6400000000'],
    ['a list in place of a number', '"seed":1', '"seed":[1]'],
    ['what nobody counts', '"counts":"all"', '"counts":"__proto__"'],
    ['hardware that is none', '"architecture":"vtd"', '"architecture":"abacus"'],
    ['no question', '"questions":[', '"questions":[],"others":['],
  ])('%s is refused', (_what, part, other) => {
    expect(() => parseTask(tampered(part, other))).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('what no point has is left out', () => {
    const text = tampered('"seed":1', '"seed":1,"modules":["x.js"]').replace('"points":', '"run":"x","points":');
    expect(parseTask(text)).toEqual(TASK?.points);
  });

  test('a design that is a file of somebody is refused by name', () => {
    const point = sweepPoint('trace', '1', QUESTION, { design: './every-nth.js' });
    const text = JSON.stringify({ questions: [QUESTION], points: [[point.id, 'trace', '1', 0, point.values]] });
    expect(() => parseTask(text)).toThrow(/every-nth\.js/);
  });

  test('anything else is refused, never run', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parseTask(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
      }),
    );
  });
});

describe('results of a task', () => {
  const results = POINTS.map(({ id }, i) => ({ id, metrics: { misses: i, missRatio: null }, caveats: ['of a model'] }));

  test('read as they were', () => {
    expect(parseResults(resultsText(results), POINTS)).toEqual(results);
  });

  test.each([
    ['fewer', results.slice(1)],
    ['more', [...results, ...results]],
    ['others', results.toReversed()],
    ['texts for numbers', results.map((result) => ({ ...result, metrics: { misses: '1' } }))],
    ['caveats without end', results.map((result) => ({ ...result, caveats: ['x'.repeat(100_000)] }))],
  ])('%s are refused', (_what, other) => {
    expect(() => parseResults(JSON.stringify(other), POINTS)).toThrow(
      expect.objectContaining({ code: 'REDIS_FAILED' }),
    );
  });
});
