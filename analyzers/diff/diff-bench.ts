import { Random } from '../../traces/random.ts';
import type { Measured } from './judge.ts';
import { mannWhitney } from './mann-whitney.ts';
import { normalTail } from './tails.ts';

/** One figure of `iorr bench`, or of another benchmark in the list that GitHub's actions read. */
export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly value: number;
  /** Range of the middle half of its runs, as a share of the value. */
  readonly spread: number | null;
  readonly runs: number;
  /** A/A, measured with it. */
  readonly noise: number | null;
  readonly samples: readonly number[];
}

type Plain = { readonly [name: string]: unknown };

const MOST_ROWS = 2000;
const MOST_SAMPLES = 1000;

function rows(list: unknown): readonly Plain[] {
  if (!Array.isArray(list)) return [];
  return list.slice(0, MOST_ROWS).filter((row): row is Plain => typeof row === 'object' && row !== null);
}

const positive = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;

/** Rows of the result of `iorr bench --json`. */
export function benchRows(result: unknown): readonly BenchRow[] {
  return rows((result as Plain)['figures']).flatMap((row): BenchRow[] => {
    const value = positive(row['median']);
    if (value === null || typeof row['name'] !== 'string') return [];
    const samples = Array.isArray(row['samples']) ? row['samples'].slice(0, MOST_SAMPLES) : [];
    return [
      {
        name: typeof row['suite'] === 'string' ? `${row['suite']}: ${row['name']}` : row['name'],
        unit: String(row['unit']),
        better: 'more',
        value,
        spread: positive(row['spread']),
        runs: positive(row['runs']) ?? 1,
        noise: positive(row['noise']),
        samples: samples.filter((one): one is number => positive(one) !== null),
      },
    ];
  });
}

/** `A/A 1.20%, spread 3.00%, 120 runs`, as `iorr bench --github` writes it; other tools write what they like. */
const EXTRA = /^A\/A ([\d.]+)%, spread ([\d.]+)%, (\d+) runs$/;

/** Rows of the list that GitHub's benchmark actions read. What is counted in so many a second is better the larger. */
export function listRows(list: unknown): readonly BenchRow[] {
  return rows(list).flatMap((row): BenchRow[] => {
    const value = positive(row['value']);
    if (value === null || typeof row['name'] !== 'string') return [];
    const unit = String(row['unit']);
    const [, noise, spread, runs] = EXTRA.exec(String(row['extra'])) ?? [];
    return [
      {
        name: row['name'],
        unit,
        better: /\/\s*s(?:ec)?$|per second$/i.test(unit) ? 'more' : 'less',
        value,
        spread: spread === undefined ? null : Number(spread) / 100,
        runs: Number(runs ?? 1),
        noise: noise === undefined ? null : Number(noise) / 100,
        samples: [],
      },
    ];
  });
}

function median(sorted: Float64Array): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function resampleMedian(values: readonly number[], times: number, random: Random): Float64Array {
  const draw = new Float64Array(values.length);
  return Float64Array.from({ length: times }, () => {
    for (let i = 0; i < draw.length; i++) draw[i] = values[random.below(values.length)] ?? 0;
    return median(draw.sort());
  });
}

export interface BenchDiffOptions {
  readonly seed: number;
  readonly resamples: number;
  readonly threshold: number;
}

/** Draws of a median of as many runs. */
const MOST_DRAWS = 1000;
const FEWEST_RUNS = 8;

/**
 * Figures that both have, in the order of A. The interval of a change is that of its medians, drawn again and again, widened by the
 * A/A noise of both: what the same code differs from itself, no run can tell from a change.
 */
export function measureBench(
  a: readonly BenchRow[],
  b: readonly BenchRow[],
  options: BenchDiffOptions,
): readonly Measured[] {
  const ofB = new Map(b.map((row) => [row.name, row]));
  return a.flatMap((left, i): Measured[] => {
    const right = ofB.get(left.name);
    if (right === undefined || right.unit !== left.unit) return [];
    const { name, unit, better } = left;
    const facts = { name, unit, better, kind: 'time' as const, a: left.value, b: right.value };
    const same =
      left.value === right.value &&
      left.runs === right.runs &&
      left.samples.every((one, k) => one === right.samples[k]);
    if (same)
      return [
        { ...facts, basis: 'identical', interval: [0, 0], noise: left.noise, mannWhitney: null, pAbove: 1, pBelow: 1 },
      ];
    const noise = left.noise === null && right.noise === null ? null : Math.max(left.noise ?? 0, right.noise ?? 0);
    const change = right.value / left.value - 1;
    if (noise === null || !Number.isFinite(change)) {
      return [{ ...facts, basis: 'none', interval: null, noise, mannWhitney: null, pAbove: 1, pBelow: 1 }];
    }
    const tested = mannWhitney(left.samples, right.samples);
    const enough = Math.min(left.samples.length, right.samples.length) >= FEWEST_RUNS;
    const ends = enough ? drawn(left, right, i, options) : stored(left, right);
    const interval: [number, number] = [Math.max(-1, ends.low - noise), ends.high + noise];
    // the threshold moves by the noise, and Mann and Whitney have to agree
    const p = (beyond: number): number =>
      Math.max(normalTail(beyond / Math.max(ends.error, 1e-12)), tested === null ? 0 : tested.p / 2);
    return [
      {
        ...facts,
        basis: enough ? 'resampled' : 'stored',
        interval,
        noise,
        mannWhitney: tested,
        pAbove: p(change - noise - options.threshold),
        pBelow: p(-change - noise - options.threshold),
      },
    ];
  });
}

interface Ends {
  readonly low: number;
  readonly high: number;
  /** Standard error of the change. */
  readonly error: number;
}

function drawn(left: BenchRow, right: BenchRow, index: number, { seed, resamples }: BenchDiffOptions): Ends {
  const random = new Random(seed * 4099 + index);
  const times = Math.min(MOST_DRAWS, resamples);
  const [of, to] = [resampleMedian(left.samples, times, random), resampleMedian(right.samples, times, random)];
  const changes = of.map((value, i) => (to[i] ?? 0) / value - 1).sort();
  const at = (share: number): number => changes[Math.min(times - 1, Math.max(0, Math.ceil(share * times) - 1))] ?? 0;
  const mean = changes.reduce((sum, value) => sum + value, 0) / times;
  const variance = changes.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, times - 1);
  return { low: at(0.025), high: at(0.975), error: Math.sqrt(variance) };
}

/** Of runs that the result does not list: the error of a median is 1.253 / 1.349 of the middle half's range over the root of n. */
function stored(left: BenchRow, right: BenchRow): Ends {
  const error = (row: BenchRow): number => (0.929 * (row.spread ?? 0)) / Math.sqrt(Math.max(1, row.runs));
  const both = (right.value / left.value) * Math.hypot(error(left), error(right));
  const change = right.value / left.value - 1;
  return { low: change - 1.96 * both, high: change + 1.96 * both, error: both };
}
