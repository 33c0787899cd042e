import type { PlanMetric } from '../plan-metric.ts';

export const cpuTime: PlanMetric = {
  name: 'cpu time',
  aliases: ['cpu', 'cpu per unmap'],
  summary: 'modelled processor time of a design for each unmap, waits included',
  unit: 'ns',
  better: 'less',
  studies: ['design'],
  statistics: [],
  direction: (parameter) => {
    if (/^(?:queue\.(?:fetch|iotlb|wait|device-tlb)|cpu\.)/.test(parameter)) return 'up';
    return parameter.startsWith('iotlb.') || parameter.startsWith('walk-cache.') ? 'same' : undefined;
  },
  vary: () => undefined,
  value: ({ design }) => (design === undefined || design.unmaps === 0 ? null : design.cpuNs / design.unmaps),
};
