import type { PlanMetric } from '../plan-metric.ts';

export const pageRequest: PlanMetric = {
  name: 'page request',
  aliases: ['page fault', 'fault', 'page request latency', 'prq latency'],
  summary: "time from a device's wish for a page until it has the translation",
  unit: 'ns',
  better: 'less',
  studies: ['pri'],
  statistics: ['p99', 'p50', 'p95', 'max', 'mean'],
  direction: (parameter) => {
    if (parameter === 'prq.speed') return 'up';
    return parameter.startsWith('iotlb.') ? 'same' : undefined;
  },
  vary: () => 'prq.servers=1..64',
  value: ({ pri }, statistic) => {
    const done = pri?.row.doneNs;
    return done === undefined || done.count === 0 ? null : (done[statistic as keyof typeof done] ?? null);
  },
};
