import type { MetricFamily } from '../diff-metric.ts';

/** Of the trace as it was recorded, on a model of its hardware; cells are stretches of time then. */
export const replayedMetrics: MetricFamily = {
  name: 'replayed',
  summary: 'misses of the IOTLB, on a model of the hardware',
  streams: ['dma', 'map'],
  metrics: () => [
    {
      name: 'iotlb.missRate',
      unit: 'share',
      better: 'less',
      kind: 'count',
      over: 'replay:misses',
      under: 'replay:lookups',
    },
  ],
};
