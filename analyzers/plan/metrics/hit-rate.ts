import { missDirection, opposite, varyIotlb } from '../plan-metric.ts';
import type { PlanMetric } from '../plan-metric.ts';

export const hitRate: PlanMetric = {
  name: 'hit rate',
  aliases: ['hits', 'iotlb hit rate', 'hit ratio'],
  summary: 'share of the lookups that the IOTLB answers',
  unit: 'share',
  better: 'more',
  studies: ['iotlb', 'replay', 'design'],
  statistics: [],
  direction: (parameter, hardware) => opposite(missDirection(parameter, hardware)),
  vary: varyIotlb,
  value: ({ iotlb }) => (iotlb === null || iotlb.lookups === 0 ? null : iotlb.hits / iotlb.lookups),
};
