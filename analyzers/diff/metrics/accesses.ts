import type { MetricFamily } from '../diff-metric.ts';

/** What the source itself saw of translated accesses. */
export const accessMetrics: MetricFamily = {
  name: 'accesses',
  summary: 'recorded misses and faults of all translated accesses',
  streams: ['dma'],
  metrics: () => [
    {
      name: 'iotlb.recordedMissRate',
      unit: 'share',
      better: 'less',
      kind: 'count',
      over: 'recordedMisses',
      under: 'knownOutcomes',
    },
    { name: 'faults/access', unit: 'faults', better: 'less', kind: 'count', over: 'faults', under: 'accesses' },
  ],
};
