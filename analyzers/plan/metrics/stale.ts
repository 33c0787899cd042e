import type { PlanMetric } from '../plan-metric.ts';

export const stale: PlanMetric = {
  name: 'stale',
  aliases: ['stale translations', 'stale hits'],
  summary: 'accesses that were served from a translation whose page was unmapped',
  unit: 'count',
  better: 'less',
  studies: ['replay', 'design'],
  statistics: [],
  direction: () => undefined,
  vary: () => undefined,
  value: ({ replay, design }) => (design === undefined ? replay?.stale : design.stale)?.translations ?? null,
};
