import type { Random } from '../../traces/random.ts';

/** A value with the interval in which it lies in 95 of 100 resamples, and the samples behind it. */
export interface Estimate {
  readonly value: number;
  readonly interval: readonly [least: number, most: number];
  readonly n: number;
}

/** A line through samples: what each costs at least, and what one unit of size adds. */
export interface LineEstimate {
  readonly fixed: Estimate;
  readonly slope: Estimate;
}

const RESAMPLES = 200;
/** Pairs whose slopes are taken in one fit. */
const PAIRS = 1500;

/** Keeps a uniform choice of at most so many of the samples that it is shown (Vitter's algorithm R). */
export class Reservoir {
  readonly values: number[] = [];
  /** Sizes of the same samples. */
  readonly sizes: number[] = [];
  seen = 0;
  readonly #most: number;
  readonly #random: Random;

  constructor(most: number, random: Random) {
    this.#most = most;
    this.#random = random;
  }

  add(value: number, size: number): void {
    this.seen++;
    let at = this.values.length;
    if (at >= this.#most) {
      at = this.#random.below(this.seen);
      if (at >= this.#most) return;
    }
    this.values[at] = value;
    this.sizes[at] = size;
  }
}

/** The middle of some values, the mean of the middle two. */
export function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Median with its bootstrap interval. `seen`: samples of which these are a choice. */
export function estimateMedian(values: readonly number[], seen: number, random: Random): Estimate {
  const medians: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) medians.push(medianOf(resample(values, random)));
  return { value: medianOf(values), interval: middleOf(medians), n: seen };
}

/**
 * The line whose slope is the median of the slopes of pairs, through the medians (Theil 1950, Sen 1968): outliers of up to a
 * quarter of the samples don't move it. `undefined` where all sizes are the same.
 */
export function estimateLine(
  values: readonly number[],
  sizes: readonly number[],
  seen: number,
  random: Random,
): LineEstimate | undefined {
  const whole = lineOf(values, sizes, indices(values.length), random);
  if (whole === undefined) return undefined;
  const fixed: number[] = [];
  const slopes: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) {
    const line = lineOf(values, sizes, resample(indices(values.length), random), random);
    if (line === undefined) continue;
    fixed.push(line.fixed);
    slopes.push(line.slope);
  }
  return {
    fixed: { value: whole.fixed, interval: middleOf(fixed), n: seen },
    slope: { value: whole.slope, interval: middleOf(slopes), n: seen },
  };
}

function lineOf(
  values: readonly number[],
  sizes: readonly number[],
  chosen: readonly number[],
  random: Random,
): { fixed: number; slope: number } | undefined {
  const slopes: number[] = [];
  const slopeOf = (a: number, b: number): void => {
    const step = (sizes[b] ?? 0) - (sizes[a] ?? 0);
    if (step !== 0) slopes.push(((values[b] ?? 0) - (values[a] ?? 0)) / step);
  };
  const n = chosen.length;
  if ((n * (n - 1)) / 2 <= PAIRS) {
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) slopeOf(chosen[i] ?? 0, chosen[j] ?? 0);
  } else {
    for (let i = 0; i < PAIRS; i++) slopeOf(chosen[random.below(n)] ?? 0, chosen[random.below(n)] ?? 0);
  }
  if (slopes.length < 3) return undefined;
  const slope = medianOf(slopes);
  return { slope, fixed: medianOf(chosen.map((i) => (values[i] ?? 0) - slope * (sizes[i] ?? 0))) };
}

function indices(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function resample(values: readonly number[], random: Random): number[] {
  return values.map(() => values[random.below(values.length)] ?? 0);
}

/** Percentiles 2.5 and 97.5. */
function middleOf(values: readonly number[]): readonly [number, number] {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return [at(0.025), at(0.975)];
}
