import { LINK_SPEEDS } from '../link-speeds.ts';
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
  vary: () => LINK_SPEEDS,
  value: ({ dirty }) => {
    if (dirty === undefined) return null;
    const { converged, totalNs } = dirty.threads.migration;
    return converged ? totalNs : Number.POSITIVE_INFINITY;
  },
};
