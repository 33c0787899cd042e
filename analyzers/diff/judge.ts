import type { Basis, DiffMetricResult, Verdict } from './diff-result.ts';
import type { MetricKind } from './diff-metric.ts';
import { holm } from './tails.ts';

/** A metric of both sides before verdicts: tests of many metrics are adjusted for their number. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly kind: MetricKind;
  readonly a: number;
  readonly b: number;
  readonly basis: Basis;
  readonly interval: DiffMetricResult['interval'];
  readonly noise: number | null;
  readonly mannWhitney: DiffMetricResult['mannWhitney'];
  /** Probability of what was seen if the true change were at most, at least the threshold; 1 where nothing tells it. */
  readonly pAbove: number;
  readonly pBelow: number;
}

/** Errors in all metrics of a kind together. */
const ALPHA = 0.05;

export function changeOf(a: number, b: number): number | null {
  if (a === b) return 0;
  return a === 0 ? null : b / a - 1;
}

/** Verdicts. Counts and times are two families of tests, each adjusted by Holm's method. */
export function judge(measured: readonly Measured[], threshold: number): readonly DiffMetricResult[] {
  const adjusted = new Map<Measured, { above: number; below: number }>();
  for (const kind of ['count', 'time']) {
    const tested = measured.filter((one) => one.kind === kind && (one.basis === 'resampled' || one.basis === 'stored'));
    // which side it went is tested too
    const ps = holm(tested.map(({ pAbove, pBelow }) => Math.min(1, 2 * Math.min(pAbove, pBelow))));
    tested.forEach((one, i) => {
      const p = ps[i] ?? 1;
      adjusted.set(one, one.pAbove < one.pBelow ? { above: p, below: 1 } : { above: 1, below: p });
    });
  }
  return measured.map((one) => {
    const { pAbove: _above, pBelow: _below, ...facts } = one;
    const change = changeOf(one.a, one.b);
    const p = adjusted.get(one);
    return {
      ...facts,
      change,
      verdict: verdictOf(one, change, threshold, p),
      p: p === undefined ? null : Math.min(p.above, p.below),
    };
  });
}

function verdictOf(
  { better, basis, interval }: Measured,
  change: number | null,
  threshold: number,
  p: { readonly above: number; readonly below: number } | undefined,
): Verdict {
  const up: Verdict = better === 'less' ? 'worse' : 'better';
  const down: Verdict = better === 'less' ? 'better' : 'worse';
  const estimate = change ?? Number.POSITIVE_INFINITY;
  if (basis === 'identical') return 'same';
  if (basis === 'exact') return estimate > threshold ? up : estimate < -threshold ? down : 'same';
  if (interval === null || p === undefined) return 'inconclusive';
  // no change is below -1: an end without bound is the far one
  const [low, high] = interval.map((end) => end ?? Number.POSITIVE_INFINITY) as [number, number];
  if (estimate > threshold && low > threshold && p.above <= ALPHA) return up;
  if (estimate < -threshold && high < -threshold && p.below <= ALPHA) return down;
  if (low >= -threshold && high <= threshold) return 'same';
  return 'inconclusive';
}
