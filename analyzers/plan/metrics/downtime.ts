import { LINK_SPEEDS } from '../link-speeds.ts';
import type { PlanMetric } from '../plan-metric.ts';

export const downtime: PlanMetric = {
  name: 'downtime',
  aliases: ['migration downtime'],
  summary: 'what a pre-copy migration stops the machine for; more than any limit where it never converges',
  unit: 'ns',
  better: 'less',
  studies: ['dirty'],
  statistics: [],
  // what is left for the downtime depends on where in a burst of writes the last pass ends
  direction: () => undefined,
  vary: () => LINK_SPEEDS,
  value: ({ dirty }) => {
    if (dirty === undefined) return null;
    const { converged, downtimeNs } = dirty.threads.migration;
    return converged && downtimeNs !== null ? downtimeNs : Number.POSITIVE_INFINITY;
  },
};
