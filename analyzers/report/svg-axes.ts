/** One axis of a drawn picture. */
export interface AxisSpec {
  readonly log: boolean;
  /** Round numbers of this base: 2 for bytes. */
  readonly base: 2 | 10;
  /** Where the axis begins and ends, if not where the values do. */
  readonly from?: number;
  readonly to?: number;
}

export interface Axis {
  readonly ticks: readonly number[];
  /** 0 to 1 along the axis; a log axis shows what is not positive at its beginning. */
  at(value: number): number;
}

const MOST_TICKS = 6;

/** An axis over values, with round ticks. */
export function axisOf({ log, base, from, to }: AxisSpec, values: readonly number[]): Axis {
  return log ? logAxis(base, values, from, to) : linearAxis(base, values, from, to);
}

function most(values: readonly number[], start: number): number {
  return values.reduce((high, value) => Math.max(high, value), start);
}

function linearAxis(base: number, values: readonly number[], from = 0, to?: number): Axis {
  const high = Math.max(to ?? most(values, from), from + Number.MIN_VALUE);
  const step = roundStep((high - from) / MOST_TICKS, base);
  const first = Math.ceil(from / step);
  const count = Math.floor(high / step) - first + 1;
  return {
    ticks: Array.from({ length: Math.max(0, Math.min(50, count)) }, (_, i) => (first + i) * step),
    at: (value) => Math.min(1, Math.max(0, (value - from) / (high - from))),
  };
}

function roundStep(least: number, base: number): number {
  const power = base ** Math.floor(Math.log(least) / Math.log(base));
  const steps = base === 10 ? [1, 2, 5, 10] : [1, 2];
  return power * (steps.find((step) => step * power >= least) ?? base);
}

function logAxis(base: number, values: readonly number[], from?: number, to?: number): Axis {
  const positive = values.filter((value) => value > 0);
  const least = from ?? positive.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
  const low = Number.isFinite(least) ? logOf(least, base) : 0;
  const high = Math.max(low + 1, positive.length === 0 ? 1 : logOf(to ?? most(positive, 0), base));
  const every = Math.max(1, Math.ceil((high - low) / MOST_TICKS));
  const first = Math.ceil(low - 1e-9);
  const count = Math.floor((high + 1e-9 - first) / every) + 1;
  return {
    ticks: Array.from({ length: Math.max(0, count) }, (_, i) => base ** (first + i * every)),
    at: (value) => (value > 0 ? Math.min(1, Math.max(0, (logOf(value, base) - low) / (high - low))) : 0),
  };
}

function logOf(value: number, base: number): number {
  return Math.log(value) / Math.log(base);
}
