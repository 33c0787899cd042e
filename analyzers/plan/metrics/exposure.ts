import type { PlanMetric } from '../plan-metric.ts';

export const exposure: PlanMetric = {
  name: 'exposure',
  aliases: ['exposed', 'exposure time'],
  summary: 'time from the unmap of a page that was cached until nothing can translate it any more',
  unit: 'ns',
  better: 'less',
  studies: ['replay', 'design'],
  statistics: ['p99', 'p50', 'p95', 'max'],
  direction: () => undefined,
  vary: () => undefined,
  value: ({ replay, design }, statistic) => {
    const found = design === undefined ? replay?.exposure : design.exposure;
    if (found === undefined || found === null) return null;
    return found.ns[statistic as keyof typeof found.ns] ?? null;
  },
};
