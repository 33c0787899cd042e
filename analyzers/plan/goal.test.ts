import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { headroom, meets, parseGoal } from './goal.ts';
import { PLAN_METRICS } from './plan-metrics.ts';

function read(text: string): readonly unknown[] {
  const { metric, statistic, operator, limit } = parseGoal(text);
  return [metric.name, statistic, operator, limit];
}

function refusal(text: string): string {
  try {
    parseGoal(text);
  } catch (error) {
    if (error instanceof IorrError) return `${error.message} | ${error.hint}`;
    throw error;
  }
  return 'taken';
}

describe('goals', () => {
  test.each([
    ['hit rate >= 0.99', ['hit rate', '', '>=', 0.99]],
    ['hit rate ≥ 99 %', ['hit rate', '', '>=', 0.99]],
    ['p99 submit < 10 us', ['submit', 'p99', '<', 10_000]],
    ['submit p50 <= 1.5ms', ['submit', 'p50', '<=', 1.5e6]],
    ['exposure < 1 s', ['exposure', 'p99', '<', 1e9]],
    ['exposure max < 1µs', ['exposure', 'max', '<', 1000]],
    ['no PRQ overflow in 1e9', ['prq overflow', '', '<', 1e-9]],
    ['PRQ overflow < 1e-6', ['prq overflow', '', '<', 1e-6]],
    ['stale = 0', ['stale', '', '=', 0]],
    ['no stale hits', ['stale', '', '=', 0]],
    ['downtime < 300 ms', ['downtime', '', '<', 3e8]],
    ['page-seconds <= 0.5', ['page-seconds', '', '<=', 0.5]],
    ['  Median  SUBMIT<9us ', ['submit', 'p50', '<', 9000]],
  ])('%s', (text, goal) => {
    expect(read(text)).toEqual(goal);
  });

  test.each([
    ['hit rte >= 0.9', /column 1: no metric is called 'hit rte' \| did you mean 'hit rate'/],
    ['p90 submit < 1 us', /column 1: submit has no p90: it has p99, p50/],
    ['p99 hit rate > 0.5', /column 1: hit rate has no p99: it is one number/],
    ['p99 p50 submit < 1 us', /column 5: one statistic/],
    ['submit < 10', /column 10: a unit of time expected behind the number, found none \| ns, us, ms or s/],
    ['submit < 10 parsecs', /column 13: a unit of time expected behind the number, found 'parsecs'/],
    ['hit rate 0.9', /column 10: one of >=, >, <=, <, = expected behind hit rate, found '0.9'/],
    ['hit rate', /column 9: one of .* found the end/],
    ['hit rate >=', /column 12: a number expected/],
    ['hit rate >= 99', /column 13: hit rate is at most 1, or 100 %/],
    ['hit rate >= 0.9 s', /column 17: 's' is no unit of this metric/],
    ['hit rate < 0.9', /column 10: hit rate is better where it is more: > or >= expected/],
    ['downtime > 1 s', /column 10: downtime is better where it is less/],
    ['no stale in 1e9', /column 10: stale is no probability/],
    ['no PRQ overflow in many', /column 20: a number expected behind 'in'/],
    ['stale = 0 and more', /column 11: 'and' is no unit of this metric/],
    ['hit rate >= 90 % of all', /column 18: the end expected, found 'of' \| give each goal an own --goal/],
    ['', /column 1: the name of a metric expected/],
    ['>= 3', /column 1: the name of a metric expected/],
    ['hit rate >= 0.9 ;', /column 17: ';' means nothing here/],
    ['x'.repeat(500), /too long/],
  ])('%s is refused with its place', (text, message) => {
    expect(refusal(text)).toMatch(message);
  });

  test('whatever is written is read or refused, never worse', () => {
    const part = fc.constantFrom(
      'no',
      'hit',
      'rate',
      'p99',
      'submit',
      '<',
      '>=',
      '=',
      '1e9',
      '0.5',
      '%',
      'us',
      'in',
      '\u0000',
      '-',
      'PRQ overflow',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part).map((parts) => parts.join(' ')),
        ),
        (text) => {
          expect(refusal(text)).toMatch(/^taken$|^--goal '/);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('limits', () => {
  test('what is unknown meets nothing', () => {
    expect(meets(parseGoal('stale = 0'), null)).toBe(false);
    expect(meets(parseGoal('stale = 0'), 0)).toBe(true);
    expect(meets(parseGoal('submit < 1 us'), 1000)).toBe(false);
    expect(meets(parseGoal('submit <= 1 us'), 1000)).toBe(true);
    expect(meets(parseGoal('downtime < 1 s'), Number.POSITIVE_INFINITY)).toBe(false);
  });

  test('room is of what the goal leaves', () => {
    expect(headroom(parseGoal('submit < 10 us'), 4000)).toBeCloseTo(0.6);
    expect(headroom(parseGoal('hit rate >= 0.9'), 0.95)).toBeCloseTo(0.5);
    expect(headroom(parseGoal('hit rate >= 0.9'), 0.8)).toBeCloseTo(-1);
    expect(headroom(parseGoal('stale = 0'), 0)).toBeNull();
  });
});

test('metrics have names of their own, and a statistic for each of their words', () => {
  const names = PLAN_METRICS.flatMap(({ name, aliases }) => [name, ...aliases]);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, aliases, summary, studies, unit, better, statistics } of PLAN_METRICS) {
    expect(studies.length).toBeGreaterThan(0);
    expect(summary).not.toMatch(/^[A-Z](?!ain)|\.$/);
    for (const text of [name, ...aliases]) {
      const limit = unit === 'ns' ? '1 us' : '0.5';
      expect(parseGoal(`${text.toUpperCase()} ${better === 'more' ? '>' : '<'} ${limit}`).metric.name).toBe(name);
      for (const statistic of statistics)
        expect(parseGoal(`${statistic} ${text} < ${limit}`).statistic).toBe(statistic);
    }
  }
});
