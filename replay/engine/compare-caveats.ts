import { DIALECT, DIALECT_NAMES } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import type { RecordedResult } from '../results.ts';
import type { RunFacts } from './design-run.ts';
import type { InvTraits } from './inv-traits.ts';

/** What a comparison found out that limits what it says. */
export interface CompareGrounds {
  readonly access: string;
  readonly traits: InvTraits;
  /** Of the designs' commands. */
  readonly dialect: number;
  readonly recorded: RecordedResult | null;
  /** How far a submission of any design began after its recorded time, at most. */
  readonly lateNs: number;
  /** Of each design; all but the moved maps are the same. */
  readonly facts: readonly RunFacts[];
}

/** What the figures of a comparison rest on, most important first. */
export function compareCaveats(trace: Trace, grounds: CompareGrounds): string[] {
  const { access, recorded, traits } = grounds;
  const facts = grounds.facts[0];
  const list: string[] = [];
  if (access === 'none') {
    list.push(
      'no accesses: hit rate, exposure, stale and wasted are unknown; name a model with --access, or join the log of the DMA side',
    );
  } else if (access !== 'recorded') {
    list.push(`hit rate, exposure, stale and wasted rest on the access model '${access}', not on recorded accesses`);
  }
  const { iommu } = trace.header.host;
  const spoken = DIALECT_NAMES[grounds.dialect] ?? '';
  if (iommu !== undefined && iommu !== spoken) {
    list.push(`the trace is of ${iommu}; the designs send the commands of ${spoken} for the same maps and unmaps`);
  }
  if (facts !== undefined) {
    const unattributed = facts.unattributedMaps + facts.unattributedUnmaps;
    if (unattributed > 0) {
      const all = unattributed + facts.maps + facts.unmaps;
      list.push(
        `${unattributed} of ${all} maps and unmaps (${facts.unattributedMaps} maps, ${facts.unattributedUnmaps} unmaps) have no domain and are left out: commands and exposure are lower bounds`,
      );
    }
    // cache tags are VT-d's own; elsewhere the one unit is what a domain has
    if (facts.untagged.length > 0 && traits.context.dialect === DIALECT.vtd) {
      list.push(
        `domains ${facts.untagged.slice(0, 8).join(', ')} have no cache tags in the trace: one IOTLB each, no device TLB, is assumed`,
      );
    }
    if (facts.unmanagedUnmaps > 0) {
      list.push(
        `${facts.unmanagedUnmaps} unmaps are in domains that user space owns (VFIO, IOMMUFD); no design queues them`,
      );
    }
    if (facts.bypassed > 0) list.push(`${facts.bypassed} accesses were passed through or refused and are no lookups`);
    if (facts.unbacked > 0) {
      list.push(`${facts.unbacked} accesses found no mapping at their time although the source translated them`);
    }
  }
  const moved = grounds.facts.reduce((sum, found) => sum + found.movedMaps, 0);
  if (moved > 0) {
    list.push(
      `${moved} maps reuse addresses that a design still held back; they were moved to free ones, as its allocator would have done`,
    );
  }
  list.push(
    'intents keep their recorded times: less waiting does not make the workload faster, and what a CPU submitted takes effect at the latest at its next map or unmap',
  );
  if (grounds.lateNs > 0) {
    list.push(
      `some modelled waits are longer than the recording left: submissions began up to ${(grounds.lateNs / 1000).toFixed(1)} us late`,
    );
  }
  list.push('times (CPU, stall, when a command takes effect) rest on the cost profile; counts do not');
  if (recorded !== null) {
    list.push('commands of the recorded row include those that no unmap asks for (interrupts, contexts)');
    if (recorded.syncs === null) list.push('the source does not show waits: syncs of the recorded row are unknown');
  }
  if (traits.context.cachingMode) list.push('caching mode: each mapping is flushed on its own');
  const { lost } = trace.health;
  if (lost > 0) list.push(`${lost} events were lost while recording: counts are lower bounds`);
  return list;
}
