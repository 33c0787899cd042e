import type { StreamName } from '../../traces/schema.ts';

/** `count`: exact for the same work; `time`: varies from run to run. */
export type MetricKind = 'count' | 'time';

interface MetricFacts {
  /** As `--fail-on` and the JSON result name it: `commands/unmap`. */
  readonly name: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly kind: MetricKind;
}

/** Amounts of all cells added up, one kind for each of another. */
export interface RatioMetric extends MetricFacts {
  readonly over: string;
  readonly under: string;
  /** Factor into the unit. Default 1. */
  readonly scale?: number;
}

/** A quantile of durations. */
export interface QuantileMetric extends MetricFacts {
  readonly samples: string;
  readonly quantile: number;
}

export type DiffMetric = RatioMetric | QuantileMetric;

/** What the metrics of a family are made of: names of quantities and of kinds of samples that either trace has. */
export interface MetricSources {
  readonly quantities: ReadonlySet<string>;
  readonly samples: ReadonlySet<string>;
}

/** Metrics that need the same streams: one file per member, listed in `diff-metrics.ts`. */
export interface MetricFamily {
  readonly name: string;
  readonly summary: string;
  /** All are needed; said where one is missing. */
  readonly streams: readonly StreamName[];
  metrics(sources: MetricSources): readonly DiffMetric[];
}

const QUANTILES = [
  ['p50', 0.5],
  ['p99', 0.99],
] as const;

/** Median and p99 of kinds of durations whose names begin like this. */
export function quantilesOf(
  { samples }: MetricSources,
  prefix: string,
  name: (rest: string) => string,
): readonly QuantileMetric[] {
  return [...samples]
    .filter((kind) => kind.startsWith(prefix))
    .sort()
    .flatMap((kind) =>
      QUANTILES.map(([suffix, quantile]) => ({
        name: `${name(kind.slice(prefix.length))}.${suffix}`,
        unit: 'ns',
        better: 'less' as const,
        kind: 'time' as const,
        samples: kind,
        quantile,
      })),
    );
}

/** One for each quantity whose name begins like this. */
export function ratiosOf(
  { quantities }: MetricSources,
  prefix: string,
  metric: (rest: string) => Omit<RatioMetric, 'over'>,
): readonly RatioMetric[] {
  return [...quantities]
    .filter((name) => name.startsWith(prefix))
    .sort()
    .map((name) => ({ ...metric(name.slice(prefix.length)), over: name }));
}
