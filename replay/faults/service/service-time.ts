import type { Random } from '../../../traces/random.ts';
import type { Nanoseconds } from '../../../traces/units.ts';

/**
 * How long something takes: what the trace says of each group (`recorded`), always the same, or drawn.
 *
 * - `exponential`: mean.
 * - `lognormal`: mean, and `sigma`, the standard deviation of the logarithm.
 * - `gamma`: mean and `shape`; shape 1 is the exponential, a large one is nearly fixed.
 * - `empirical`: one of a list, each as likely.
 */
export type ServiceTime =
  | { readonly kind: 'recorded' }
  | { readonly kind: 'fixed'; readonly ns: Nanoseconds }
  | { readonly kind: 'exponential'; readonly ns: Nanoseconds }
  | { readonly kind: 'lognormal'; readonly ns: Nanoseconds; readonly sigma: number }
  | { readonly kind: 'gamma'; readonly ns: Nanoseconds; readonly shape: number }
  | { readonly kind: 'empirical'; readonly list: ArrayLike<number> };

/** The next time; `recorded` for the group it is asked for, NaN or less than 0 where the trace does not say. */
export type TimeSampler = (recorded: Nanoseconds) => Nanoseconds;

/** Whole ns. `unknown`: what a group takes of which the recording does not tell. */
export function timeSampler(time: ServiceTime, random: Random, unknown: Nanoseconds): TimeSampler {
  switch (time.kind) {
    case 'recorded':
      return (recorded) => (recorded >= 0 ? recorded : unknown);
    case 'fixed': {
      const { ns } = time;
      return () => ns;
    }
    case 'exponential': {
      const { ns } = time;
      return () => Math.round(-ns * Math.log(1 - random.unit()));
    }
    case 'lognormal': {
      const { ns, sigma } = time;
      const mu = Math.log(ns) - (sigma * sigma) / 2;
      return () => Math.round(Math.exp(mu + sigma * normal(random)));
    }
    case 'gamma': {
      const { ns, shape } = time;
      return () => Math.round((ns / shape) * standardGamma(random, shape));
    }
    case 'empirical': {
      const { list } = time;
      return () => list[random.below(list.length)] ?? unknown;
    }
  }
}

/** Box and Muller (1958), one of the two. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
}

/** Marsaglia and Tsang, "A simple method for generating gamma variables" (2000). */
function standardGamma(random: Random, shape: number): number {
  if (shape < 1) return standardGamma(random, shape + 1) * (1 - random.unit()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.unit()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
