import type { PlanMetric } from '../plan-metric.ts';

export const prqOverflow: PlanMetric = {
  name: 'prq overflow',
  aliases: ['overflow', 'prq loss', 'page request overflow', 'lost page requests'],
  summary: 'probability that a page request finds no entry in its queue; what is too rare to simulate is extrapolated',
  unit: 'probability',
  better: 'less',
  studies: ['pri'],
  statistics: [],
  direction: (parameter) => {
    if (parameter === 'prq.depth') return 'down';
    if (parameter === 'prq.speed') return 'up';
    return parameter.startsWith('iotlb.') ? 'same' : undefined;
  },
  vary: () => 'prq.depth=2..65536',
  value: ({ pri }) => pri?.tail.upper ?? null,
};
