import { PRI_PARAMETERS, PUBLISHED_LATENCIES } from '../faults/pri-parameters.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { DirtyParameter } from './dirty-parameters.ts';
import type { FaultStorms, PriConsequence, PriFigures } from './dirty-result.ts';
import { throughputLost } from './wait-costs.ts';
import type { HarvestCosts } from './harvest-costs.ts';

/** What page requests do to the devices, with the latency of the parameters and with those that were published. */
export function priFigures(
  parameter: DirtyParameter,
  { faults }: HarvestCosts,
  counts: DirtyCounts,
  untracked: { readonly walkReads: number },
  durationNs: number,
  storms: FaultStorms | null,
): PriFigures {
  const of = (name: string, standing: PriConsequence['standing'], source: string, ns?: number): PriConsequence => {
    const { faultNs, stallNs, lostNs } = faults.waits(counts, untracked.walkReads, ns);
    return {
      name,
      standing,
      source,
      latencyNs: ns ?? (counts.faults === 0 ? 0 : Math.round(faultNs / counts.faults)),
      deviceStallNs: Math.round(stallNs),
      underWay: durationNs === 0 ? 0 : faultNs / durationNs,
      throughputLost: throughputLost(lostNs, durationNs),
    };
  };
  const parts = PRI_PARAMETERS.filter(({ unit, name }) => unit === 'ns' && name !== 'pri.latency').map(
    ({ name }) => name,
  );
  const given = parameter('pri.latency') > 0;
  return {
    latencies: [
      of('parameters', 'assumed', given ? 'pri.latency, set by the user' : `the sum of ${parts.join(', ')}`),
      ...PUBLISHED_LATENCIES.map(({ name, ns, cpuFaults, source }) =>
        of(name, 'published', source, ns > 0 ? ns : cpuFaults * parameter('dirty.fault')),
      ),
    ],
    storms,
  };
}
