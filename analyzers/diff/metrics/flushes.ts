import type { MetricFamily } from '../diff-metric.ts';

/** What a driver decided to flush, above the native commands. */
export const flushMetrics: MetricFamily = {
  name: 'flushes',
  summary: "a driver's flushes for each unmap, and those of everything",
  streams: ['flush', 'unmap'],
  metrics: ({ quantities }) => [
    { name: 'flushes/unmap', unit: 'flushes', better: 'less', kind: 'count', over: 'flushes', under: 'unmaps' },
    ...(quantities.has('flush:all')
      ? [
          {
            name: 'flushes.all/unmap',
            unit: 'flushes',
            better: 'less' as const,
            kind: 'count' as const,
            over: 'flush:all',
            under: 'unmaps',
          },
        ]
      : []),
  ],
};
