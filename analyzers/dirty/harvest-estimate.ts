import { costsOf } from '../../replay/costs/cost-profile.ts';
import type { CostProfile } from '../../replay/costs/cost-profile.ts';
import { noCounts } from '../../replay/dirty/dirty-counts.ts';
import { dirtyParameter, dirtyParameterTable } from '../../replay/dirty/dirty-parameters.ts';
import { HarvestCosts } from '../../replay/dirty/harvest-costs.ts';
import { adBits } from '../../replay/dirty/methods/ad-bits.ts';
import type { ProfileParameter } from '../../replay/results.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { PAGE_BYTES } from './leaf-sets.ts';
import type { Intervals } from './write-tally.ts';

const GIB = 2 ** 30;
/** Entries of a table, and bytes that the entries of each level stand for, where tables have 4 KiB. */
const TABLE_ENTRIES = 512;
const LEVELS = [12, 21, 30, 39, 48];

/** One harvest of all memory with leaves of one size, one thread, as dirty as the mean of the trace's harvests. */
export interface HarvestEstimate {
  readonly leafBytes: number;
  /** Entries read, those above the leaves included, and tables that hold them. */
  readonly entries: number;
  readonly tables: number;
  /** Dirty leaves, which are cleared. */
  readonly cleared: number;
  /** Commands, each with its wait: one a call that finds something dirty. */
  readonly flushes: number;
  readonly bitmapBytes: number;
  readonly ns: Nanoseconds;
  readonly nsPerGib: number;
}

export interface HarvestEstimates {
  /** Of the machine, where it is known; else the blocks of 2 MiB in which something was written. */
  readonly memoryBytes: number;
  readonly profile: string;
  readonly rows: readonly HarvestEstimate[];
  /** What the times rest on. */
  readonly parameters: readonly ProfileParameter[];
}

/** What a harvest costs by the cost profile: the formula of `replay/dirty`, of which `compare --dirty` makes more. */
export function estimateHarvests(
  { count, overReporting }: Intervals,
  memoryBytes: number,
  profile: CostProfile,
  given: ReadonlyMap<string, number>,
  cpuWrites: boolean,
): HarvestEstimates {
  const parameter = dirtyParameter(given, profile.parameters);
  const costs = new HarvestCosts(costsOf(profile), parameter, adBits, cpuWrites);
  // the largest part of memory that one call is for
  const calls = Math.max(1, Math.ceil(memoryBytes / GIB));
  const rows = overReporting.map(({ leafBytes, leaves }) => {
    const counts = noCounts();
    for (const bytes of [leafBytes, ...LEVELS.map((shift) => 2 ** shift).filter((span) => span > leafBytes)]) {
      const entries = Math.ceil(memoryBytes / bytes);
      counts.entriesRead += entries;
      counts.tablesVisited += Math.ceil(entries / TABLE_ENTRIES);
    }
    counts.calls = calls;
    counts.entriesCleared = leaves / count;
    counts.flushes = Math.min(calls, counts.entriesCleared);
    counts.bitmapBytes = Math.ceil(memoryBytes / PAGE_BYTES / 8);
    const ns = costs.wall([costs.part(counts, 0)], 1, 0);
    return {
      leafBytes,
      entries: counts.entriesRead,
      tables: counts.tablesVisited,
      cleared: counts.entriesCleared,
      flushes: counts.flushes,
      bitmapBytes: counts.bitmapBytes,
      ns,
      nsPerGib: (ns / memoryBytes) * GIB,
    };
  });
  const parameters = dirtyParameterTable(given, profile.parameters).filter(({ name }) => USED.has(name));
  return { memoryBytes, profile: profile.name, rows, parameters };
}

const USED: ReadonlySet<string> = new Set([
  'dirty.call',
  'dirty.entry',
  'dirty.table',
  'dirty.bandwidth',
  'dirty.clear',
  'dirty.bitmap-byte',
]);
