import { Random } from '../../traces/random.ts';
import { ratioVariance, resampleRatio, ratioOf, total } from './block-resampling.ts';
import type { BothSides, WeightedCells } from './block-resampling.ts';
import type { DiffMetric, QuantileMetric, RatioMetric } from './diff-metric.ts';
import type { Measured } from './judge.ts';
import { mannWhitney } from './mann-whitney.ts';
import type { Strata, Stratum } from './strata.ts';
import { studentQuantile, studentTail } from './tails.ts';
import type { CellSamples, WorkCells } from './work-cells.ts';

export interface ResamplingOptions {
  readonly seed: number;
  readonly resamples: number;
  /** Change that matters. */
  readonly threshold: number;
}

/** Cells that what is counted is spread over, as if they all held the same. */
const FEWEST_PLACES = 8;

function placesOf(parts: readonly WeightedCells[]): number {
  let sum = 0;
  let squares = 0;
  for (const { over } of parts) {
    for (const value of over) {
      sum += value;
      squares += value * value;
    }
  }
  return squares === 0 ? 0 : (sum * sum) / squares;
}

/** Events on both sides together below which a count says nothing but that it is rare. */
const RARE = 10;
const LOW = 0.025;
const HIGH = 0.975;
/** Values that a rank test looks at, of each side. */
const MOST_RANKED = 4096;

/** Nearest rank of sorted values. */
function at(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

function bounded(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** A metric's own numbers, whatever else is measured with the same seed. */
function randomOf(seed: number, name: string): Random {
  let hash = seed;
  for (const character of name) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) % 2 ** 46;
  return new Random(Math.abs(Math.trunc(hash)));
}

interface Draws {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** Interval, A/A noise and shares of draws beyond the threshold, of draws from both sides. */
function ofDraws({ a, b }: Draws, threshold: number): Pick<Measured, 'interval' | 'noise' | 'pAbove' | 'pBelow'> {
  const times = a.length;
  const change = (from: number, to: number): number =>
    from === 0 ? (to === 0 ? 0 : Number.POSITIVE_INFINITY) : to / from - 1;
  const changes = a.map((value, i) => change(value, b[i] ?? Number.NaN));
  const again = a.map((value, i) => Math.abs(change(value, a[(i + 1) % times] ?? Number.NaN)));
  const notAbove = changes.filter((value) => value <= threshold).length;
  const notBelow = changes.filter((value) => value >= -threshold).length;
  changes.sort();
  again.sort();
  return {
    interval: [bounded(at(changes, LOW)), bounded(at(changes, HIGH))],
    noise: bounded(at(again, 0.95)),
    pAbove: (notAbove + 1) / (times + 1),
    pBelow: (notBelow + 1) / (times + 1),
  };
}

const NONE = new Float64Array(0);

function pick(values: Float64Array | undefined, cells: Int32Array): Float64Array {
  return Float64Array.from(cells, (cell) => values?.[cell] ?? 0);
}

/** Each stratum's weight is the mean of its shares in both: composition is no change. Undefined where there is nothing to divide by. */
function sidesOf(metric: RatioMetric, a: WorkCells, b: WorkCells, { strata }: Strata): BothSides | undefined {
  const under = (cells: WorkCells, list: Int32Array): Float64Array => pick(cells.quantities.get(metric.under), list);
  const over = (cells: WorkCells, list: Int32Array): Float64Array => pick(cells.quantities.get(metric.over), list);
  const parts = strata
    .map((stratum) => ({
      a: { over: over(a, stratum.a), under: under(a, stratum.a) },
      b: { over: over(b, stratum.b), under: under(b, stratum.b) },
    }))
    .filter((part) => total(part.a.under) > 0 && total(part.b.under) > 0);
  if (parts.length === 0) return undefined;
  const sum = (side: 'a' | 'b'): number => parts.reduce((all, part) => all + total(part[side].under), 0);
  const [ofA, ofB] = [sum('a'), sum('b')];
  const weighted = parts.map((part) => {
    const weight = (total(part.a.under) / ofA + total(part.b.under) / ofB) / 2;
    return { a: { ...part.a, weight }, b: { ...part.b, weight } };
  });
  return { a: weighted.map((part) => part.a), b: weighted.map((part) => part.b) };
}

function equal(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** What one cell each has, for the rank test. */
function cellRatios(parts: readonly WeightedCells[]): number[] {
  const ratios = parts.flatMap(({ over, under }) =>
    Array.from(over, (value, i) => ((under[i] ?? 0) > 0 ? value / (under[i] ?? 1) : Number.NaN)),
  );
  return thin(ratios.filter((value) => !Number.isNaN(value)));
}

function thin(values: number[]): number[] {
  if (values.length <= MOST_RANKED) return values;
  return Array.from({ length: MOST_RANKED }, (_, i) => values[Math.floor((i * values.length) / MOST_RANKED)] ?? 0);
}

function measureRatio(
  metric: RatioMetric,
  a: WorkCells,
  b: WorkCells,
  strata: Strata,
  exact: boolean,
  options: ResamplingOptions,
): Measured | undefined {
  const sides = sidesOf(metric, a, b, strata);
  if (sides === undefined) return undefined;
  const scale = metric.scale ?? 1;
  const { name, unit, better, kind } = metric;
  const [left, right] = [ratioOf(sides.a), ratioOf(sides.b)];
  const facts = { name, unit, better, kind, a: left * scale, b: right * scale, noise: null, mannWhitney: null };
  const whole = (cells: WorkCells, quantity: string): Float64Array => cells.quantities.get(quantity) ?? NONE;
  if (equal(whole(a, metric.over), whole(b, metric.over)) && equal(whole(a, metric.under), whole(b, metric.under))) {
    return { ...facts, b: facts.a, basis: 'identical', interval: [0, 0], pAbove: 1, pBelow: 1 };
  }
  const change = left === 0 ? (right === 0 ? 0 : Number.POSITIVE_INFINITY) : right / left - 1;
  if (exact && kind === 'count') {
    return { ...facts, basis: 'exact', interval: [bounded(change), bounded(change)], pAbove: 1, pBelow: 1 };
  }
  const random = randomOf(options.seed, name);
  const events = sides.a.concat(sides.b).reduce((sum, part) => sum + total(part.over), 0);
  const rare = kind === 'count' && events < RARE;
  // what happens in a few places only tells nothing about how often it does
  if (placesOf(sides.a) < FEWEST_PLACES && placesOf(sides.b) < FEWEST_PLACES) {
    return { ...facts, basis: 'none', interval: null, pAbove: 1, pBelow: 1 };
  }
  const variance = ratioVariance(sides);
  const drawn = ofDraws(
    {
      a: resampleRatio(sides.a, variance.lengths, options.resamples, random),
      b: resampleRatio(sides.b, variance.lengths, options.resamples, random),
    },
    options.threshold,
  );
  // beside the draws a test that knows how few blocks there are: the wider interval, the larger probability count
  const tail = (limit: number, sign: 1 | -1): number => {
    const both = variance.b + (1 + limit) ** 2 * variance.a;
    const beyond = sign * (right - (1 + limit) * left);
    return both <= 0 ? (beyond > 0 ? 0 : 1) : studentTail(beyond / Math.sqrt(both), variance.freedom);
  };
  const reach =
    (studentQuantile(HIGH, variance.freedom) * Math.sqrt(variance.a * (1 + Math.min(change, 1e6)) ** 2 + variance.b)) /
    left;
  const [low, high] = drawn.interval ?? [null, null];
  return {
    ...facts,
    ...drawn,
    interval: [
      low === null || left === 0 ? low : Math.max(-1, Math.min(low, change - reach)),
      high === null || left === 0 ? high : Math.max(high, change + reach),
    ],
    basis: 'resampled',
    mannWhitney: kind === 'time' ? mannWhitney(cellRatios(sides.a), cellRatios(sides.b)) : null,
    pAbove: rare ? 1 : Math.max(drawn.pAbove, tail(options.threshold, 1)),
    pBelow: rare ? 1 : Math.max(drawn.pBelow, tail(-options.threshold, -1)),
  };
}

/** Samples of the cells of a trace that are compared, sorted, with the number of their cell among those. */
interface SortedSamples {
  readonly values: Float64Array;
  readonly place: Int32Array;
  readonly cells: number;
}

function sortSamples({ values, cells }: CellSamples, list: Int32Array): SortedSamples {
  const placeOf = new Map(Array.from(list, (cell, place) => [cell, place] as const));
  const kept = Array.from(values, (value, i) => ({ value, place: placeOf.get(cells[i] ?? -1) ?? -1 }))
    .filter(({ place }) => place >= 0)
    .sort((x, y) => x.value - y.value);
  return {
    values: Float64Array.from(kept, ({ value }) => value),
    place: Int32Array.from(kept, ({ place }) => place),
    cells: list.length,
  };
}

/** Quantiles of draws of blocks of cells. */
function resampleQuantile(
  { values, place, cells }: SortedSamples,
  quantile: number,
  times: number,
  random: Random,
): Float64Array {
  const length = Math.max(1, Math.floor(Math.sqrt(cells)));
  const weights = new Int32Array(cells);
  return Float64Array.from({ length: times }, () => {
    weights.fill(0);
    for (let left = cells; left > 0; left -= length) {
      const start = random.below(cells);
      for (let i = 0; i < Math.min(length, left); i++) weights[(start + i) % cells]! += 1;
    }
    let all = 0;
    for (const cell of place) all += weights[cell]!;
    if (all === 0) return at(values, quantile);
    const rank = Math.max(1, Math.ceil(quantile * all));
    let seen = 0;
    for (let i = 0; i < values.length; i++) {
      seen += weights[place[i]!]!;
      if (seen >= rank) return values[i]!;
    }
    return values.at(-1) ?? 0;
  });
}

/** Fewer samples have no quantile worth a test. */
const FEWEST_SAMPLES = 20;

function measureQuantile(
  metric: QuantileMetric,
  a: WorkCells,
  b: WorkCells,
  { strata }: Strata,
  options: ResamplingOptions,
): Measured | undefined {
  const [ofA, ofB] = [a.samples.get(metric.samples), b.samples.get(metric.samples)];
  if (ofA === undefined || ofB === undefined) return undefined;
  const list = (side: (stratum: Stratum) => Int32Array): Int32Array =>
    Int32Array.from(strata.flatMap((stratum) => [...side(stratum)])).sort();
  const left = sortSamples(
    ofA,
    list((stratum) => stratum.a),
  );
  const right = sortSamples(
    ofB,
    list((stratum) => stratum.b),
  );
  if (left.values.length === 0 || right.values.length === 0) return undefined;
  const { name, unit, better, kind, quantile } = metric;
  const facts = { name, unit, better, kind, a: at(left.values, quantile), b: at(right.values, quantile) };
  if (ofA.count === ofB.count && ofA.hash === ofB.hash) {
    return { ...facts, basis: 'identical', interval: [0, 0], noise: null, mannWhitney: null, pAbove: 1, pBelow: 1 };
  }
  const random = randomOf(options.seed, name);
  const few =
    Math.min(left.values.length, right.values.length) < FEWEST_SAMPLES || Math.min(left.cells, right.cells) < 4;
  const drawn = ofDraws(
    {
      a: resampleQuantile(left, quantile, options.resamples, random),
      b: resampleQuantile(right, quantile, options.resamples, random),
    },
    options.threshold,
  );
  return {
    ...facts,
    ...drawn,
    basis: 'resampled',
    interval: few ? null : drawn.interval,
    noise: few ? null : drawn.noise,
    mannWhitney: mannWhitney(thin([...left.values]), thin([...right.values])),
  };
}

/** A metric of two traces. Undefined where one of them has nothing of it. `exact`: both did the same work. */
export function measureChange(
  metric: DiffMetric,
  a: WorkCells,
  b: WorkCells,
  strata: Strata,
  exact: boolean,
  options: ResamplingOptions,
): Measured | undefined {
  return 'over' in metric
    ? measureRatio(metric, a, b, strata, exact, options)
    : measureQuantile(metric, a, b, strata, options);
}
