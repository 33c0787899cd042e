import type { Nanoseconds } from '../../traces/units.ts';
import type { ProfileParameter, WaitQuantiles } from '../results.ts';
import type { Crossover } from './crossover-result.ts';
import type { DirtyCounts } from './dirty-counts.ts';

/** One pass of a pre-copy migration. Pages are 4 KiB. */
export interface MigrationPass {
  readonly startNs: Nanoseconds;
  /** Sending and the harvest after it. */
  readonly durationNs: Nanoseconds;
  readonly sent: number;
  /** Written meanwhile, by the oracle; what the harvest told; what it did not. */
  readonly dirty: number;
  readonly reported: number;
  readonly missed: number;
  readonly harvestNs: Nanoseconds;
  /** Percent of the time in which writers were held back. */
  readonly throttle: number;
}

/** A migration that the trace recorded; null where it does not tell. Pages are 4 KiB. */
export interface RecordedOutcome {
  readonly completed: boolean;
  readonly passes: number | null;
  readonly memoryPages: number | null;
  /** Sent with their contents, and as a byte because all of them is zero. */
  readonly sentPages: number | null;
  readonly zeroPages: number | null;
  readonly totalNs: Nanoseconds | null;
  readonly downtimeNs: Nanoseconds | null;
  /** Highest, in percent. */
  readonly throttle: number;
}

export interface Migration {
  readonly converged: boolean;
  /** Null where it did not converge. */
  readonly downtimeNs: Nanoseconds | null;
  /** From the start of tracking to the end of the downtime, or to the last pass. */
  readonly totalNs: Nanoseconds;
  readonly passes: readonly MigrationPass[];
  readonly memoryPages: number;
  readonly sentPages: number;
  /** Of those in the first pass that are zero, so that their contents stay. */
  readonly zeroPages: number;
  /** On the link, headers of pages included. */
  readonly sentBytes: number;
  /** Sent beyond the first time. */
  readonly resentPages: number;
  /** Written and never reported in the pass: what would be lost. */
  readonly missedPages: number;
  /** Highest throttle, in percent. */
  readonly throttle: number;
  readonly harvestNs: Nanoseconds;
  readonly startNs: Nanoseconds;
  readonly stopNs: Nanoseconds;
  /** Times that the trace's stream began again. */
  readonly repeats: number;
}

/** Harvests over time; all arrays have the same length. */
export interface HarvestSeries {
  /** Since the start of the trace. */
  readonly t: readonly Nanoseconds[];
  readonly written: readonly number[];
  readonly reported: readonly number[];
  readonly over: readonly number[];
  readonly missed: readonly number[];
  readonly ranges: readonly number[];
  readonly entriesRead: readonly number[];
  readonly entriesCleared: readonly number[];
}

/** What a number of harvest threads changes. */
export interface DirtyThreads {
  readonly threads: number;
  /** Sum and longest of the harvests. */
  readonly harvestNs: Nanoseconds;
  readonly worstNs: Nanoseconds;
  readonly nsPerGiB: number;
  readonly startNs: Nanoseconds;
  readonly stopNs: Nanoseconds;
  readonly migration: Migration;
  /** By harvest. */
  readonly wallNs: readonly Nanoseconds[];
}

/** A method planned for memory that is not there: the cost of one harvest. */
export interface DirtyPlan {
  readonly bytes: number;
  /** Memory of the page tables that the harvest walks. */
  readonly tableBytes: number;
  /** Tables visited and entries read: each call comes down from the root. */
  readonly tables: number;
  readonly entries: number;
  readonly bitmapBytes: number;
  readonly cleared: number;
  /** By number of threads, as `threads[]`; of the formula, and scaled from the parts that were built. */
  readonly formulaNs: readonly Nanoseconds[];
  readonly sampledNs: readonly Nanoseconds[];
  readonly samples: number;
}

/** What page requests of one latency do to a device. */
export interface PriConsequence {
  /** `parameters`: the sum of its parts, or what was set. */
  readonly name: string;
  readonly standing: ProfileParameter['standing'];
  readonly source: string;
  /** Mean of a fault, from the write that is not permitted to the one that is. */
  readonly latencyNs: Nanoseconds;
  /** Sum of the device's waits. */
  readonly deviceStallNs: Nanoseconds;
  /** Requests under way on average, if the device could have so many: rate times latency. */
  readonly underWay: number;
  readonly throughputLost: number;
}

export interface PriFigures {
  /** The first is what the row's figures are made of; the others are inputs that were published, not predictions. */
  readonly latencies: readonly PriConsequence[];
  /** Null where no pass has a request, or each has too many. */
  readonly storms: FaultStorms | null;
}

/** Page requests of one pass, one by one through the hardware's queue. */
export interface FaultStorm {
  /** `all together`: none waits for its write to come; `at once`: all blocks are protected at the harvest. */
  readonly name: string;
  /** Parts that the logged blocks are protected in, and blocks of one. */
  readonly slices: number;
  readonly blocksAtOnce: number;
  readonly faults: number;
  /** From a write that is not permitted to the one that is. */
  readonly latency: WaitQuantiles;
  /** From the first request to the end of the last. */
  readonly spanNs: Nanoseconds;
  /** Entries of the hardware's queue in use over time; requests that wait for a handler or have one, at most. */
  readonly queueMean: number;
  readonly queueP99: number;
  readonly queueMax: number;
  readonly waitingMax: number;
  readonly overflowProbability: number;
  /** Time in which devices waited for at least one request; its share, and that in which they could not even ask. */
  readonly deviceStallNs: Nanoseconds;
  readonly stallShare: number;
  readonly blockedShare: number;
}

export interface FaultStorms {
  /** The pass with the most requests, from 0. */
  readonly pass: number;
  readonly faults: number;
  /** Blocks that it has to protect: logged by the pass before. */
  readonly protectedBlocks: number;
  readonly durationNs: Nanoseconds;
  /** Of `PAGE_REQUEST_QUEUES`. */
  readonly queue: string;
  readonly storms: readonly FaultStorm[];
  /** The fewest slices with which devices are blocked no longer than `pri.stall-budget`; null: none of those tried. */
  readonly slices: number | null;
}

export interface DirtyRow {
  readonly name: string;
  /** Why it can miss writes; null where it can't. */
  readonly canMiss: string | null;
  /** Sums over the harvests. `over`: reported and not written; `missed`: written and not reported. */
  readonly written: number;
  readonly reported: number;
  readonly over: number;
  readonly missed: number;
  readonly ranges: number;
  /** Of the harvests; `tracking`: of everything, accesses included, from start to stop. */
  readonly counts: DirtyCounts;
  readonly tracking: DirtyCounts;
  /** IOTLB misses that a run without tracking has not. */
  readonly missesCaused: number;
  /** Time in which writers waited for faults, full logs and added walks: the sum over all waits. */
  readonly stallNs: Nanoseconds;
  /** Share of their throughput that writers lose by that: waits of requests that are under way at once pass together. */
  readonly throughputLost: number;
  /** Processor time of the host for handlers of devices' faults. */
  readonly handlerNs: Nanoseconds;
  /** Null for methods without page requests. */
  readonly pri: PriFigures | null;
  /** Ranges harvested because they were unmapped, and what that took. */
  readonly unmapHarvests: number;
  readonly unmapNs: Nanoseconds;
  readonly threads: readonly DirtyThreads[];
  readonly series: HarvestSeries;
  readonly plan: DirtyPlan | null;
}

/** `compare --dirty`: what methods of dirty tracking would report, cost and let a migration do. */
export interface DirtyResult {
  readonly hardware: string;
  readonly profile: string;
  readonly tables: string;
  /** `dma` or `ram`. */
  readonly source: string;
  readonly events: number;
  readonly startNs: Nanoseconds;
  readonly durationNs: Nanoseconds;
  readonly memoryBytes: number;
  readonly harvests: number;
  /** `recorded`, or the ns between harvests. */
  readonly interval: 'recorded' | Nanoseconds;
  readonly linkBytesPerSecond: number;
  readonly downtimeLimitNs: Nanoseconds;
  /** Null where the trace tells of no migration. */
  readonly recorded: RecordedOutcome | null;
  readonly methods: readonly DirtyRow[];
  /** Null where no method by page requests is compared with another. */
  readonly crossover: Crossover | null;
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
}
