import { missDirection, varyIotlb } from '../plan-metric.ts';
import type { PlanMetric } from '../plan-metric.ts';

export const missRate: PlanMetric = {
  name: 'miss rate',
  aliases: ['misses', 'iotlb miss rate', 'miss ratio'],
  summary: 'share of the lookups that the IOTLB does not answer',
  unit: 'share',
  better: 'less',
  studies: ['iotlb', 'replay', 'design'],
  statistics: [],
  direction: missDirection,
  vary: varyIotlb,
  value: ({ iotlb }) => (iotlb === null || iotlb.lookups === 0 ? null : iotlb.misses / iotlb.lookups),
};
