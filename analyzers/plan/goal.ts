import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { MetricUnit, PlanMetric } from './plan-metric.ts';
import { PLAN_METRICS } from './plan-metrics.ts';

/**
 * The goals of `iorr plan`:
 *
 *     goal     = [ "no" ] metric [ "in" number ]  |  metric comparison number [ unit ]
 *     metric   = words of a metric's name and, before or behind, a statistic: p99 submit, exposure max
 *     comparison = ">=" | ">" | "<=" | "<" | "="
 *     unit     = "ns" | "us" | "ms" | "s" | "%"
 *
 * `no stale` is `stale = 0`; `no PRQ overflow in 1e9` asks for less than one among so many, a probability below 1e-9.
 */
export interface Goal {
  /** As it was written. */
  readonly text: string;
  readonly metric: PlanMetric;
  /** Empty where the metric is one number. */
  readonly statistic: string;
  readonly operator: '>=' | '>' | '<=' | '<' | '=';
  /** In the metric's unit: nanoseconds, parts of 1. */
  readonly limit: number;
}

interface Token {
  readonly kind: 'word' | 'number' | 'operator' | 'unit';
  readonly text: string;
  /** 1-based. */
  readonly column: number;
}

/** A number, `>=`, `%`, a word such as `page-seconds` or `p99`; units of numbers are words. */
const TOKEN = /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(>=|<=|==|≥|≤|>|<|=)|(%)|([A-Za-zµ][A-Za-z0-9µ_./-]*))/y;
const TIMES: { readonly [unit: string]: number } = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9 };
const STATISTIC = /^(?:p\d+(?:\.\d+)?|max|mean|median)$/;
const OPERATORS: { readonly [text: string]: Goal['operator'] } = {
  '>=': '>=',
  '≥': '>=',
  '>': '>',
  '<=': '<=',
  '≤': '<=',
  '<': '<',
  '=': '=',
  '==': '=',
};
const MOST_CHARACTERS = 200;
const EXAMPLES = "for example 'hit rate >= 0.99', 'p99 submit < 10 us' or 'no PRQ overflow in 1e9'";

function wrong(text: string, column: number, what: string, hint: string = EXAMPLES): IorrError {
  return new IorrError('USAGE', `--goal '${text.slice(0, MOST_CHARACTERS)}', column ${column}: ${what}`, { hint });
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    const column = at + text.slice(at).search(/\S/) + 1;
    if (found === null) throw wrong(text, column, `'${text.charAt(column - 1)}' means nothing here`);
    const [, number, operator, percent, word] = found;
    if (number !== undefined) tokens.push({ kind: 'number', text: number, column });
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator, column });
    else if (percent !== undefined) tokens.push({ kind: 'unit', text: percent, column });
    else tokens.push({ kind: 'word', text: (word ?? '').toLowerCase(), column });
  }
  return tokens;
}

/** Reads a goal. Throws `USAGE` with the column of what can't be read, and the nearest name. */
export function parseGoal(text: string, metrics: readonly PlanMetric[] = PLAN_METRICS): Goal {
  if (text.length > MOST_CHARACTERS) throw wrong(text, MOST_CHARACTERS, 'too long for a goal');
  const tokens = tokensOf(text);
  const end = text.length + 1;
  let at = 0;
  const none = tokens[0]?.kind === 'word' && tokens[0].text === 'no';
  if (none) at++;
  const words: Token[] = [];
  while (tokens[at]?.kind === 'word' && tokens[at]?.text !== 'in') words.push(tokens[at++]!);
  const { metric, statistic } = metricOf(text, words, words[0]?.column ?? tokens[at]?.column ?? end, metrics);
  const next = tokens[at];
  if (none) {
    if (next === undefined) return { text, metric, statistic, operator: '=', limit: 0 };
    if (next.text !== 'in') throw wrong(text, next.column, `'in' or the end expected, found '${next.text}'`);
    const among = tokens[at + 1];
    if (among?.kind !== 'number' || !(Number(among.text) >= 1)) {
      throw wrong(text, among?.column ?? end, "a number expected behind 'in': among how many");
    }
    if (metric.unit !== 'probability') throw wrong(text, next.column, `${metric.name} is no probability`);
    refuseRest(text, tokens, at + 2);
    return { text, metric, statistic, operator: '<', limit: 1 / Number(among.text) };
  }
  if (next?.kind !== 'operator') {
    const found = next === undefined ? 'the end' : `'${next.text}'`;
    throw wrong(text, next?.column ?? end, `one of >=, >, <=, <, = expected behind ${metric.name}, found ${found}`);
  }
  const value = tokens[at + 1];
  if (value?.kind !== 'number') throw wrong(text, value?.column ?? end, 'a number expected');
  const unit = tokens[at + 2];
  const limit = inUnit(text, metric.unit, Number(value.text), unit, value.column);
  refuseRest(text, tokens, at + (unit === undefined ? 2 : 3));
  const operator = OPERATORS[next.text] ?? '=';
  if (metric.unit === 'share' && limit > 1) throw wrong(text, value.column, `${metric.name} is at most 1, or 100 %`);
  if (
    (operator.startsWith('>') && metric.better === 'less') ||
    (operator.startsWith('<') && metric.better === 'more')
  ) {
    throw wrong(
      text,
      next.column,
      `${metric.name} is better where it is ${metric.better}: ${metric.better === 'less' ? '< or <=' : '> or >='} expected`,
    );
  }
  return { text, metric, statistic, operator, limit };
}

function refuseRest(text: string, tokens: readonly Token[], at: number): void {
  const rest = tokens[at];
  if (rest === undefined) return;
  throw wrong(text, rest.column, `the end expected, found '${rest.text}'`, 'give each goal an own --goal');
}

function metricOf(
  text: string,
  words: readonly Token[],
  column: number,
  metrics: readonly PlanMetric[],
): { readonly metric: PlanMetric; readonly statistic: string } {
  const statistics = words.filter((word) => STATISTIC.test(word.text));
  const name = words
    .filter((word) => !statistics.includes(word))
    .map((word) => word.text)
    .join(' ');
  if (name === '') throw wrong(text, column, 'the name of a metric expected');
  const metric = metrics.find((one) => one.name === name || one.aliases.includes(name));
  if (metric === undefined) {
    const near = nearest(
      name,
      metrics.flatMap((one) => [one.name, ...one.aliases]),
    );
    throw wrong(
      text,
      column,
      `no metric is called '${name}'`,
      near === undefined ? `metrics are ${metrics.map((one) => one.name).join(', ')}` : `did you mean '${near}'?`,
    );
  }
  const [named, second] = statistics;
  if (second !== undefined) throw wrong(text, second.column, 'one statistic is enough');
  if (named === undefined) return { metric, statistic: metric.statistics[0] ?? '' };
  const wanted = named.text === 'median' ? 'p50' : named.text;
  if (metric.statistics.includes(wanted)) return { metric, statistic: wanted };
  const known = metric.statistics.length === 0 ? 'it is one number' : `it has ${metric.statistics.join(', ')}`;
  throw wrong(text, named.column, `${metric.name} has no ${named.text}: ${known}`);
}

function inUnit(text: string, unit: MetricUnit, value: number, given: Token | undefined, column: number): number {
  const name = given?.text;
  if (unit === 'ns') {
    const factor = name === undefined ? undefined : TIMES[name];
    if (factor !== undefined) return value * factor;
    const found = name === undefined ? 'none' : `'${name}'`;
    throw wrong(
      text,
      given?.column ?? column,
      `a unit of time expected behind the number, found ${found}`,
      'ns, us, ms or s',
    );
  }
  if (name === undefined) return value;
  if (name === '%' && (unit === 'share' || unit === 'probability')) return value / 100;
  throw wrong(
    text,
    given?.column ?? column,
    `'${name}' is no unit of this metric`,
    unit === 'count' || unit === 'number' ? 'give a number alone' : 'a number up to 1, or with %',
  );
}

/** Whether a value meets a goal. What is unknown does not. */
export function meets({ operator, limit }: Goal, value: number | null): boolean {
  if (value === null || Number.isNaN(value)) return false;
  switch (operator) {
    case '>=':
      return value >= limit;
    case '>':
      return value > limit;
    case '<=':
      return value <= limit;
    case '<':
      return value < limit;
    case '=':
      return value === limit;
  }
}

/**
 * How much of what the goal leaves is unused: 0 at the limit, below 0 beyond it. Of shares that should be large, what counts is the
 * rest to 1. Null where the limit leaves nothing.
 */
export function headroom({ metric, limit }: Goal, value: number | null): number | null {
  if (value === null || Number.isNaN(value)) return null;
  if (metric.better === 'less') return limit > 0 ? (limit - value) / limit : null;
  if (metric.unit === 'share') return limit < 1 ? (value - limit) / (1 - limit) : null;
  return limit > 0 ? (value - limit) / limit : null;
}
