import type { MetricKind } from './diff-metric.ts';

/** What a change is, as far as the intervals tell. */
export type Verdict = 'same' | 'better' | 'worse' | 'inconclusive';

/**
 * What a metric's interval rests on. `identical`: both sides have the very same figures. `exact`: counts of the same work, which
 * have no error. `resampled`: blocks of work, or runs, drawn again and again. `stored`: range and A/A noise that the results name.
 * `none`: one figure each, of different work.
 */
export type Basis = 'identical' | 'exact' | 'resampled' | 'stored' | 'none';

/** A metric of both sides, with its change and its verdict. */
export interface DiffMetricResult {
  readonly name: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly kind: MetricKind;
  readonly a: number;
  readonly b: number;
  /** b / a - 1; null where a is 0 and b is not. */
  readonly change: number | null;
  /** Of the change, 95 %; an end that is null is beyond all bounds (A had none of it). Null where nothing tells it. */
  readonly interval: readonly [number | null, number | null] | null;
  readonly verdict: Verdict;
  readonly basis: Basis;
  /** A/A: 95 % of the changes between two draws from A are smaller; null where nothing tells it. */
  readonly noise: number | null;
  /** That the change is not beyond the threshold, adjusted for the number of metrics; null where it is not a test. */
  readonly p: number | null;
  /** Mann and Whitney's test of times, two-sided, not adjusted, and Cliff's delta; null where there are no samples. */
  readonly mannWhitney: { readonly p: number; readonly delta: number } | null;
}

/** A condition under which `diff` exits with 3, and what came of it. */
export interface GateCondition {
  readonly text: string;
  readonly metric: string | null;
  readonly state: 'passed' | 'breached' | 'inconclusive';
  readonly why: string;
}

/** Whether a comparison fails, and for which condition. */
export interface DiffGate {
  readonly conditions: readonly GateCondition[];
  readonly breached: boolean;
  /** Metrics that breached it. */
  readonly metrics: readonly string[];
}

export interface MissingMetrics {
  readonly family: string;
  readonly why: string;
}

/** What `iorr diff` answers. */
export interface DiffResult {
  /** `trace`, or the command whose results were compared. */
  readonly of: string;
  /** How the two were aligned, in words. */
  readonly alignment: string;
  /** Both did exactly the same work. */
  readonly sameWork: boolean;
  readonly threshold: number;
  readonly metrics: readonly DiffMetricResult[];
  readonly missing: readonly MissingMetrics[];
  readonly caveats: readonly string[];
  readonly gate: DiffGate;
}
