import { compareTrace } from '../../replay/engine/compare.ts';
import type { CostProfile } from '../../replay/costs/cost-profile.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import type { DesignResult, ProfileParameter } from '../../replay/results.ts';
import type { Trace } from '../../traces/trace.ts';
import { countBatches } from './batches.ts';
import type { BatchingCounts } from './batches.ts';

/** Unmaps of a batch that are tried: 1 is strict. */
export const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] as const;

/** The trace's unmaps, flushed `batch` at a time: replayed on the same hardware. */
export interface BatchedReplay {
  readonly batch: number;
  readonly commands: number;
  readonly syncs: number;
  readonly doorbells: number;
  readonly cpuNs: number;
  readonly stallNs: number | null;
  readonly misses: number | null;
  readonly exposedPages: number | null;
  readonly pageSeconds: number | null;
  readonly exposureP99Ns: number | null;
}

export interface BatchingResult extends BatchingCounts {
  readonly hardware: string;
  readonly profile: string;
  readonly access: string;
  readonly replayed: readonly BatchedReplay[];
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
}

export interface BatchingOptions {
  readonly hardware: HardwareProfile;
  readonly profile: CostProfile;
  readonly driver?: string;
  readonly jobs?: number;
}

function row(batch: number, result: DesignResult): BatchedReplay {
  const { commands, syncs, doorbells, cpuNs, stallNs, iotlb, exposure } = result;
  return {
    batch,
    commands,
    syncs,
    doorbells,
    cpuNs,
    stallNs,
    misses: iotlb?.misses ?? null,
    exposedPages: exposure?.pages ?? null,
    pageSeconds: exposure?.pageSeconds ?? null,
    exposureP99Ns: exposure?.ns.p99 ?? null,
  };
}

/** How the recorded system batched, and what each batch size would have made of the same unmaps. */
export async function analyzeBatching(trace: Trace, options: BatchingOptions): Promise<BatchingResult> {
  const counts = countBatches(trace);
  const compared = await compareTrace(trace, {
    ...options,
    designs: BATCHES.map((batch) => (batch === 1 ? 'linux-strict' : `batch-n@${batch}`)),
  });
  if (compared === undefined) throw new Error('a comparison without a signal was aborted');
  const { hardware, profile, access, designs, parameters, caveats } = compared;
  return {
    ...counts,
    hardware,
    profile,
    access,
    replayed: designs.flatMap((design, i) => {
      const batch = BATCHES[i];
      return batch === undefined ? [] : [row(batch, design)];
    }),
    parameters,
    caveats,
  };
}
