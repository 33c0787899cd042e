import { ratiosOf } from '../diff-metric.ts';
import type { MetricFamily } from '../diff-metric.ts';

const MIB = 2 ** 20;
const PAGE = 4096;

/** Native commands for what was unmapped; waits and syncs are counted apart. */
export const commandMetrics: MetricFamily = {
  name: 'commands',
  summary: 'native commands for each unmap, unmapped byte and mapped page; waits; commands by type',
  streams: ['inv', 'unmap'],
  metrics: (sources) => [
    { name: 'commands/unmap', unit: 'commands', better: 'less', kind: 'count', over: 'commands', under: 'unmaps' },
    {
      name: 'commands/MiB',
      unit: 'commands',
      better: 'less',
      kind: 'count',
      over: 'commands',
      under: 'unmappedBytes',
      scale: MIB,
    },
    {
      name: 'pages/command',
      unit: 'pages',
      better: 'more',
      kind: 'count',
      over: 'unmappedBytes',
      under: 'commands',
      scale: 1 / PAGE,
    },
    { name: 'waits/unmap', unit: 'waits', better: 'less', kind: 'count', over: 'waits', under: 'unmaps' },
    { name: 'doorbells/unmap', unit: 'doorbells', better: 'less', kind: 'count', over: 'doorbells', under: 'unmaps' },
    ...ratiosOf(sources, 'command:', (type) => ({
      name: `commands.${type}/unmap`,
      unit: 'commands',
      better: 'less',
      kind: 'count',
      under: 'unmaps',
    })),
  ],
};
