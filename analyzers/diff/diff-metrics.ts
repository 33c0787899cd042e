import type { MetricFamily } from './diff-metric.ts';
import { accessMetrics } from './metrics/accesses.ts';
import { commandLatencyMetrics } from './metrics/command-latency.ts';
import { commandMetrics } from './metrics/commands.ts';
import { dirtyMetrics } from './metrics/dirty.ts';
import { flushMetrics } from './metrics/flushes.ts';
import { ioctlMetrics } from './metrics/ioctls.ts';
import { mappedPageMetrics } from './metrics/mapped-pages.ts';
import { pageRequestMetrics } from './metrics/page-requests.ts';
import { rateMetrics } from './metrics/rates.ts';
import { replayedMetrics } from './metrics/replayed.ts';

/** Families of metrics of two traces, in the order in which they are shown. */
export const METRIC_FAMILIES: readonly MetricFamily[] = [
  commandMetrics,
  mappedPageMetrics,
  flushMetrics,
  accessMetrics,
  replayedMetrics,
  pageRequestMetrics,
  dirtyMetrics,
  ioctlMetrics,
  commandLatencyMetrics,
  rateMetrics,
];
