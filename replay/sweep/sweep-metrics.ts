import type { DesignResult, Exposure, IotlbCounts, ReplayResult } from '../results.ts';
import type { SweepMetrics } from './sweep-point.ts';

/** Figures of an IOTLB. */
export function iotlbMetrics(iotlb: IotlbCounts | null): SweepMetrics {
  return {
    lookups: iotlb?.lookups ?? null,
    misses: iotlb?.misses ?? null,
    missRatio: iotlb === null || iotlb.lookups === 0 ? null : iotlb.misses / iotlb.lookups,
    compulsory: iotlb?.causes.compulsory ?? null,
    capacity: iotlb?.causes.capacity ?? null,
    conflict: iotlb?.causes.conflict ?? null,
    invalidation: iotlb?.causes.invalidation ?? null,
  };
}

function exposureMetrics(exposure: Exposure | null): SweepMetrics {
  return {
    exposedPages: exposure?.pages ?? null,
    pageSeconds: exposure?.pageSeconds ?? null,
    exposureP99Ns: exposure?.ns.p99 ?? null,
  };
}

export function replayMetrics(result: ReplayResult): SweepMetrics {
  return {
    ...iotlbMetrics(result.iotlb),
    walks: result.walks,
    walkReads: result.walkReads,
    faults: result.faults,
    commands: result.commands,
    syncs: result.syncs,
    ...exposureMetrics(result.exposure),
    stale: result.stale?.translations ?? null,
    wasted: result.wasted,
  };
}

/** `cores`: the count that the point is about, if any. */
export function designMetrics(result: DesignResult, cores: number | undefined): SweepMetrics {
  const scaling = result.scaling?.points.find((point) => point.cores === cores);
  return {
    ...iotlbMetrics(result.iotlb),
    unmaps: result.unmaps,
    commands: result.commands,
    syncs: result.syncs,
    doorbells: result.doorbells,
    exits: result.exits,
    ioctls: result.ioctls,
    cpuNs: result.cpuNs,
    stallNs: result.stallNs,
    walkReads: result.walkReads ?? null,
    ...exposureMetrics(result.exposure),
    stale: result.stale?.translations ?? null,
    wasted: result.wasted,
    ...(cores === undefined
      ? {}
      : {
          submissionsPerSecond: scaling?.submissionsPerSecond ?? null,
          relativeSpeed: scaling?.relative ?? null,
          queueUtilisation: scaling?.utilisation ?? null,
          lockUtilisation: scaling?.lockUtilisation ?? null,
          submitP99Ns: scaling?.waitNs.p99 ?? null,
        }),
  };
}
