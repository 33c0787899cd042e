import type { PlanMetric } from '../plan-metric.ts';

export const harvest: PlanMetric = {
  name: 'harvest',
  aliases: ['harvest time', 'dirty harvest'],
  summary: 'the longest harvest of the dirty bits',
  unit: 'ns',
  better: 'less',
  studies: ['dirty'],
  statistics: [],
  direction: (parameter) => (parameter === 'dirty.threads' ? 'down' : parameter === 'dirty.link' ? 'same' : undefined),
  vary: () => 'dirty.threads=1..64',
  value: ({ dirty }) => dirty?.threads.worstNs ?? null,
};
