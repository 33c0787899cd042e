import type { MetricFamily } from '../diff-metric.ts';

/** Commands for each page that was mapped for a device: the work that an I/O asks for, whatever unmaps it later. */
export const mappedPageMetrics: MetricFamily = {
  name: 'mapped pages',
  summary: 'native commands for each page that was mapped',
  streams: ['inv', 'map'],
  metrics: () => [
    {
      name: 'commands/page',
      unit: 'commands',
      better: 'less',
      kind: 'count',
      over: 'commands',
      under: 'mappedBytes',
      scale: 4096,
    },
  ],
};
