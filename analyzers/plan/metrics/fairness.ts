import { varyIotlb } from '../plan-metric.ts';
import type { PlanMetric } from '../plan-metric.ts';

export const fairness: PlanMetric = {
  name: 'fairness',
  aliases: ['jain', 'jain index'],
  summary: "Jain's index of the tenants' hit rates: 1 where all are the same",
  unit: 'number',
  better: 'more',
  studies: ['tenants'],
  statistics: [],
  // a cache that is too small for all is fair to all
  direction: () => undefined,
  vary: varyIotlb,
  value: ({ fairness: found }) => found?.jain ?? null,
};
