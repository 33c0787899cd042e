import type { PlanMetric } from '../plan-metric.ts';

export const migration: PlanMetric = {
  name: 'migration',
  aliases: ['migration time', 'total migration'],
  summary: 'a pre-copy migration from the start of tracking to the end of the downtime',
  unit: 'ns',
  better: 'less',
  studies: ['dirty'],
  statistics: [],
  direction: () => undefined,
  vary: () => 'dirty.link=100Mbit,250Mbit,500Mbit,1Gbit,2.5Gbit,5Gbit,10Gbit,25Gbit,50Gbit,100Gbit',
  value: ({ dirty }) => {
    if (dirty === undefined) return null;
    const { converged, totalNs } = dirty.threads.migration;
    return converged ? totalNs : Number.POSITIVE_INFINITY;
  },
};
