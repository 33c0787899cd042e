import { quantilesOf } from '../diff-metric.ts';
import type { MetricFamily } from '../diff-metric.ts';

/** Page requests of devices, to their answers. */
export const pageRequestMetrics: MetricFamily = {
  name: 'page requests',
  summary: 'page requests for each group, and the time from the last request of a group to its answer',
  streams: ['prq'],
  metrics: (sources) => [
    {
      name: 'requests/group',
      unit: 'requests',
      better: 'less',
      kind: 'count',
      over: 'pageRequests',
      under: 'pageGroups',
    },
    ...quantilesOf(sources, 'pageGroup', () => 'pageGroup.ns'),
  ],
};
