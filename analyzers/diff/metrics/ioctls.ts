import { quantilesOf, ratiosOf } from '../diff-metric.ts';
import type { MetricFamily } from '../diff-metric.ts';

/** Calls of IOMMUFD and VFIO. Counts are for each call that mapped. */
export const ioctlMetrics: MetricFamily = {
  name: 'ioctls',
  summary: 'calls by request for each call that mapped, failures, time in the kernel',
  streams: ['ioctl'],
  metrics: (sources) => [
    { name: 'ioctls/map', unit: 'calls', better: 'less', kind: 'count', over: 'ioctls', under: 'mapCalls' },
    { name: 'errors/ioctl', unit: 'errors', better: 'less', kind: 'count', over: 'ioctlErrors', under: 'ioctls' },
    // a share of all calls, where nothing was mapped, is neither good nor bad
    ...(sources.quantities.has('mapCalls')
      ? ratiosOf(sources, 'ioctl:', (request) => ({
          name: `ioctl.${request}/map`,
          unit: 'calls',
          better: 'less',
          kind: 'count',
          under: 'mapCalls',
        }))
      : []),
    ...quantilesOf(sources, 'ioctl:', (request) => `ioctl.${request}`),
  ],
};
