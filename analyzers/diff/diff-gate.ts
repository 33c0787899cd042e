import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { DiffGate, DiffMetricResult, GateCondition, MissingMetrics } from './diff-result.ts';

/**
 * Conditions of `iorr diff` and `iorr bench --baseline`:
 *
 *     condition = "worse" | "none" | metric comparison change "%"
 *     comparison = ">" | ">=" | "<" | "<="
 *
 * `worse`: any metric is worse by more than the threshold. `commands/unmap > +2%`: it grew by more than 2 %.
 */
export type DiffCondition =
  | { readonly kind: 'worse'; readonly text: string }
  | { readonly kind: 'none'; readonly text: string }
  | ChangeCondition;

interface ChangeCondition {
  readonly kind: 'change';
  readonly text: string;
  readonly metric: string;
  readonly operator: '>' | '>=' | '<' | '<=';
  /** Part of 1. */
  readonly limit: number;
}

/** `commands/unmap > +2%`, `maps/s < -5 %`: name, comparison, signed number, per cent. */
const CHANGE = /^(.*\S)\s*(>=|<=|>|<)\s*([+\-−]?)(\d+(?:\.\d+)?)\s*(%?)$/;
const MOST_CHARACTERS = 300;

/** Reads one `--fail-on`. Throws `USAGE`. */
export function parseDiffCondition(text: string): DiffCondition {
  const shown = text.trim();
  if (shown === 'worse' || shown === 'none') return { kind: shown, text: shown };
  const [, metric, operator, sign, number, percent] = CHANGE.exec(shown.slice(0, MOST_CHARACTERS)) ?? [];
  if (metric === undefined || shown.length > MOST_CHARACTERS) {
    throw new IorrError('USAGE', `--fail-on '${shown.slice(0, MOST_CHARACTERS)}': a metric and a change expected`, {
      hint: "--fail-on 'commands/unmap > +2%', --fail-on worse or --fail-on none",
    });
  }
  if (percent !== '%') {
    throw new IorrError('USAGE', `--fail-on '${shown}': a change in per cent expected, found ${sign}${number}`, {
      hint: `--fail-on '${metric} ${operator} +2%'`,
    });
  }
  const limit = (Number(number) / 100) * (sign === '-' || sign === '−' ? -1 : 1);
  return { kind: 'change', text: shown, metric, operator: operator as '>', limit };
}

/** `1%`, `0.5 %`, `0.01`: a share of 1. Throws `USAGE`. */
export function parseThreshold(text: string): number {
  const [, number, percent] = /^\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/.exec(text) ?? [];
  const value = Number(number) / (percent === '%' ? 100 : 1);
  if (number !== undefined && value < 1) return value;
  throw new IorrError('USAGE', `--threshold ${text}: a share below 1 expected, such as 1% or 0.01`);
}

/** What a comparison of traces or results leaves open. */
interface Judged {
  readonly metrics: readonly DiffMetricResult[];
  readonly missing: readonly MissingMetrics[];
}

const percent = (change: number | null): string =>
  change === null ? 'beyond all bounds' : `${change < 0 ? '' : '+'}${(change * 100).toFixed(2)} %`;

function intervalText({ interval }: DiffMetricResult): string {
  return interval === null ? 'no interval' : `95 %: ${percent(interval[0])} to ${percent(interval[1])}`;
}

/** The change is beyond the limit, and so is all of its interval. */
function ofChange(condition: ChangeCondition, metric: DiffMetricResult): GateCondition {
  const up = condition.operator.startsWith('>');
  const beyond = (value: number | null): boolean => {
    const at = value ?? Number.POSITIVE_INFINITY;
    if (condition.operator === '>') return at > condition.limit;
    if (condition.operator === '>=') return at >= condition.limit;
    return condition.operator === '<' ? at < condition.limit : at <= condition.limit;
  };
  const why = `${metric.name} changed by ${percent(metric.change)} (${intervalText(metric)})`;
  const { text } = condition;
  if (!beyond(metric.change)) return { text, metric: metric.name, state: 'passed', why };
  const near = metric.interval?.[up ? 0 : 1];
  const sure = near !== undefined && beyond(near);
  return { text, metric: metric.name, state: sure ? 'breached' : 'inconclusive', why };
}

/** Metrics that `worse` looks at: those whose noise is known. */
export type GatedKinds = 'counts' | 'all';

/** Judges all conditions. Throws `USAGE` for a metric that is not known, `STREAM_MISSING` for one that can't be told here. */
export function diffGate(conditions: readonly DiffCondition[], judged: Judged, gated: GatedKinds): DiffGate {
  const outcomes = conditions.flatMap((condition): readonly GateCondition[] => {
    if (condition.kind === 'none') return [];
    if (condition.kind === 'worse') {
      const { text } = condition;
      const looked = judged.metrics.filter(({ kind }) => gated === 'all' || kind === 'count');
      const worse = looked.filter(({ verdict }) => verdict === 'worse');
      if (worse.length === 0) {
        const open = looked.filter(({ verdict }) => verdict === 'inconclusive').map(({ name }) => name);
        const why = open.length === 0 ? 'no metric is worse' : `no metric is worse; inconclusive: ${open.join(', ')}`;
        return [{ text, metric: null, state: 'passed', why }];
      }
      return worse.map((metric) => ({
        text,
        metric: metric.name,
        state: 'breached',
        why: `${metric.name} is worse: ${percent(metric.change)} (${intervalText(metric)})`,
      }));
    }
    const metric = judged.metrics.find(({ name }) => name === condition.metric);
    if (metric === undefined) throw unknownMetric(condition.metric, judged);
    return [ofChange(condition, metric)];
  });
  const breached = outcomes.filter(({ state }) => state === 'breached');
  return {
    conditions: outcomes,
    breached: breached.length > 0,
    metrics: [...new Set(breached.flatMap(({ metric }) => (metric === null ? [] : [metric])))],
  };
}

function unknownMetric(name: string, { metrics, missing }: Judged): IorrError {
  const names = metrics.map((metric) => metric.name);
  const near = nearest(name, names);
  const lacks = missing.map(({ why }) => why).join('; ');
  return new IorrError(
    'USAGE',
    `--fail-on ${name}: neither trace nor result tells it${lacks === '' ? '' : ` (${lacks})`}`,
    {
      hint: near === undefined ? `metrics here are ${names.slice(0, 20).join(', ')}` : `did you mean '${near}'?`,
    },
  );
}
