import { quantilesOf } from '../diff-metric.ts';
import type { MetricFamily } from '../diff-metric.ts';

/** From a command's submission to the hardware taking it; there where a source saw both ends. */
export const commandLatencyMetrics: MetricFamily = {
  name: 'command latency',
  summary: 'from submission to the hardware, by type: median and p99',
  streams: ['inv'],
  metrics: (sources) => quantilesOf(sources, 'lag:', (type) => `latency.${type}`),
};
