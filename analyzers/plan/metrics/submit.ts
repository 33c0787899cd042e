import type { PlanMetric } from '../plan-metric.ts';

export const submit: PlanMetric = {
  name: 'submit',
  aliases: ['submission', 'submit latency', 'submit to wait', 'invalidation latency'],
  summary: 'modelled time from wanting the queue until the CPU goes on; of so many cores where they are given',
  unit: 'ns',
  better: 'less',
  studies: ['design'],
  statistics: ['p99', 'p50', 'p95', 'max', 'mean'],
  direction: (parameter) => {
    if (parameter === 'cores' || /^(?:queue\.(?:fetch|iotlb|wait|device-tlb)|cpu\.)/.test(parameter)) return 'up';
    return parameter.startsWith('iotlb.') || parameter.startsWith('walk-cache.') ? 'same' : undefined;
  },
  vary: () => 'cores=1..64',
  value: ({ design, cores, values }, statistic) => {
    if (values['cores'] !== undefined) {
      const scaled = cores?.waitNs;
      return scaled === undefined ? null : (scaled[statistic as keyof typeof scaled] ?? null);
    }
    const wait = design?.time.submitToWait;
    return wait === undefined || wait.count === 0 ? null : (wait[statistic as keyof typeof wait] ?? null);
  },
};
