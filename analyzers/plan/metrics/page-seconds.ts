import type { PlanMetric } from '../plan-metric.ts';

export const pageSeconds: PlanMetric = {
  name: 'page-seconds',
  aliases: ['page seconds', 'exposed page-seconds'],
  summary: 'exposure of all pages together: 4 KiB pages times seconds',
  unit: 'number',
  better: 'less',
  studies: ['replay', 'design'],
  statistics: [],
  direction: () => undefined,
  vary: () => undefined,
  value: ({ replay, design }) => (design === undefined ? replay?.exposure : design.exposure)?.pageSeconds ?? null,
};
