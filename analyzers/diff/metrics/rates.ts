import type { MetricFamily } from '../diff-metric.ts';

/** How fast the work went by the clock of the recording. */
export const rateMetrics: MetricFamily = {
  name: 'rates',
  summary: 'maps and unmaps a second',
  streams: ['map', 'unmap'],
  metrics: () => [
    { name: 'maps/s', unit: 'maps/s', better: 'more', kind: 'time', over: 'maps', under: 'ns', scale: 1e9 },
    { name: 'unmaps/s', unit: 'unmaps/s', better: 'more', kind: 'time', over: 'unmaps', under: 'ns', scale: 1e9 },
  ],
};
