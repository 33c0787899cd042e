import type { PlanMetric } from '../plan-metric.ts';

export const lockWait: PlanMetric = {
  name: 'lock wait',
  aliases: ['lock', 'queue lock'],
  summary: 'modelled wait for the lock of a command queue, or for a place in it',
  unit: 'ns',
  better: 'less',
  studies: ['design'],
  statistics: ['p99', 'p50', 'p95', 'max', 'mean'],
  direction: (parameter) => {
    if (/^(?:queue\.(?:fetch|iotlb|wait|device-tlb)|cpu\.)/.test(parameter)) return 'up';
    return parameter.startsWith('iotlb.') || parameter.startsWith('walk-cache.') ? 'same' : undefined;
  },
  vary: () => undefined,
  value: ({ design }, statistic) => {
    const wait = design?.time.lockWait;
    return wait === undefined || wait.count === 0 ? null : (wait[statistic as keyof typeof wait] ?? null);
  },
};
