import type { PlanMetric } from '../plan-metric.ts';

export const queueUse: PlanMetric = {
  name: 'queue use',
  aliases: ['queue utilisation', 'queue utilization'],
  summary: 'share of the time in which the hardware of the busiest command queue works',
  unit: 'share',
  better: 'less',
  studies: ['design'],
  statistics: [],
  direction: (parameter) => {
    if (/^queue\.(?:iotlb|wait)/.test(parameter)) return 'up';
    // more cores wait for each other's lock
    return parameter.startsWith('iotlb.') || parameter.startsWith('walk-cache.') ? 'same' : undefined;
  },
  vary: () => 'cores=1..64',
  value: ({ design, cores, values }) => {
    if (values['cores'] !== undefined) return cores?.utilisation ?? null;
    const queues = design?.time.queues ?? [];
    return queues.length === 0 ? null : Math.max(...queues.map(({ utilisation }) => utilisation));
  },
};
