import type { PlanMetric } from '../plan-metric.ts';
import { varyIotlb } from '../plan-metric.ts';

export const deviceStall: PlanMetric = {
  name: 'device stall',
  aliases: ['stall', 'stall share'],
  summary: 'share of the trace in which a device waits for a walk, of all devices together',
  unit: 'number',
  better: 'less',
  studies: ['design'],
  statistics: [],
  // fewer misses may come closer together
  direction: (parameter) => (parameter === 'walk.read' ? 'up' : undefined),
  vary: varyIotlb,
  value: ({ design, durationNs }) =>
    typeof design?.stallNs !== 'number' || durationNs === 0 ? null : design.stallNs / durationNs,
};
