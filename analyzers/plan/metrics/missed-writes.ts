import type { PlanMetric } from '../plan-metric.ts';

export const missedWrites: PlanMetric = {
  name: 'missed writes',
  aliases: ['missed', 'missed pages'],
  summary: 'pages that were written and that no harvest reported',
  unit: 'count',
  better: 'less',
  studies: ['dirty'],
  statistics: [],
  direction: (parameter) => (parameter === 'dirty.threads' || parameter === 'dirty.link' ? 'same' : undefined),
  vary: () => undefined,
  value: ({ dirty }) => dirty?.row.missed ?? null,
};
