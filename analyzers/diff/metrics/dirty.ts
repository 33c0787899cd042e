import { quantilesOf } from '../diff-metric.ts';
import type { MetricFamily } from '../diff-metric.ts';

/** Reading of dirty pages. */
export const dirtyMetrics: MetricFamily = {
  name: 'dirty',
  summary: 'time of a synchronisation or harvest of dirty pages; pages that became dirty for each',
  streams: ['dirty'],
  metrics: (sources) => [
    { name: 'dirtyPages/sync', unit: 'pages', better: 'less', kind: 'count', over: 'dirtySets', under: 'dirtySyncs' },
    ...quantilesOf(sources, 'dirty', (kind) => `dirty.${kind.toLowerCase()}`),
  ],
};
