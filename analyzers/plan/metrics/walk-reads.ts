import { missDirection, varyIotlb } from '../plan-metric.ts';
import type { PlanMetric } from '../plan-metric.ts';

export const walkReads: PlanMetric = {
  name: 'walk reads',
  aliases: ['reads', 'walk reads per lookup'],
  summary: 'page-table entries that walks read, for each lookup',
  unit: 'number',
  better: 'less',
  studies: ['replay', 'design'],
  statistics: [],
  // a larger IOTLB sends fewer walks to the paging-structure caches, which then hold other entries
  direction: (parameter, hardware) =>
    /^walk-cache\.l\d$/.test(parameter) || parameter.startsWith('iotlb.')
      ? parameter.startsWith('walk-cache.')
        ? 'down'
        : missDirection(parameter, hardware)
      : missDirection(parameter, hardware),
  vary: varyIotlb,
  value: ({ iotlb, replay, design }) => {
    const reads = design === undefined ? replay?.walkReads : design.walkReads;
    return iotlb === null || iotlb.lookups === 0 || reads === undefined || reads === null
      ? null
      : reads / iotlb.lookups;
  },
};
