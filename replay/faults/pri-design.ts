import type { Nanoseconds } from '../../traces/units.ts';
import type { Standing } from '../results.ts';
import type { PageRequestQueue } from './queues/page-request-queue.ts';
import type { ServiceTime } from './service/service-time.ts';

/** A service time with the name that it was asked for by. */
export interface NamedService {
  readonly name: string;
  /** `fitted`: lognormal with the recorded mean and spread; `resampled`: any of the recorded ones; `default`: recorded, else `pri.service`. */
  readonly time:
    | ServiceTime
    | 'default'
    | 'fitted'
    | 'resampled'
    | { readonly kind: 'published'; readonly cpuFaults: number };
}

/** When devices ask: as recorded, at a rate, or each when it has its answers. */
export interface NamedArrivals {
  readonly name: string;
  readonly kind: 'recorded' | 'poisson' | 'fixed' | 'closed';
  /** Groups a second; 0: as in the recording. Of `closed`: groups that a device has under way. */
  readonly value: number;
  /** Of `closed`: from the end of a group to the next. */
  readonly thinkNs: Nanoseconds;
}

/** One row of `compare --pri`. */
export interface PriDesign {
  readonly queue: PageRequestQueue;
  readonly depth: number;
  readonly outstanding: number;
  readonly servers: number;
  readonly service: NamedService;
  readonly batch: number;
  readonly repairPages: number;
  readonly prefetch: number;
  readonly arrivals: NamedArrivals;
  /** Recorded times pass so many times as fast. */
  readonly speed: number;
}

/** What the service time of a row rests on. */
export type ServiceStanding = Standing | 'recorded';

/** Rows of one comparison. */
export const MOST_DESIGNS = 500;

/** A lognormal distribution with the mean of the values and the spread of their logarithms; fixed where all are the same. */
export function fittedService(values: readonly Nanoseconds[]): ServiceTime {
  const positive = values.filter((ns) => ns > 0);
  const mean = values.reduce((sum, ns) => sum + ns, 0) / Math.max(1, values.length);
  const logs = positive.map(Math.log);
  const middle = logs.reduce((sum, log) => sum + log, 0) / Math.max(1, logs.length);
  const variance = logs.reduce((sum, log) => sum + (log - middle) ** 2, 0) / Math.max(1, logs.length - 1);
  if (variance === 0) return { kind: 'fixed', ns: Math.round(mean) };
  return { kind: 'lognormal', ns: mean, sigma: Math.sqrt(variance) };
}
