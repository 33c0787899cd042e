import type { Nanoseconds, RequesterId } from '../traces/units.ts';

/** The plain data that the three questions answer with. Every renderer reads these; names are those of design.md 5. */

export interface MissCauses {
  readonly compulsory: number;
  readonly capacity: number;
  readonly conflict: number;
  readonly invalidation: number;
}

/** `null` everywhere where the trace has no accesses and no access model was named: unknown is not 0. */
export interface IotlbCounts {
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  readonly causes: MissCauses;
}

/** Counts of one cache of the hardware; `invalidatedBy` splits the misses of that cause by the kind of command. */
export interface CacheCounts extends IotlbCounts {
  readonly invalidatedBy: { readonly [kind: string]: number };
}

/** Commands that the hardware refused. */
export interface CommandErrorCount {
  /** As the architecture calls it: `IQE`, `CERROR_ILL`, `ILLEGAL_COMMAND_ERROR`, `cmd_ill`, `VIRTIO_IOMMU_S_INVAL`. */
  readonly error: string;
  readonly what: string;
  readonly count: number;
}

/** Pages that were unmapped while still cached, from the unmap to what ended it. A page counts once per cached translation. */
export interface Exposure {
  /** 4 KiB pages that were unmapped while cached. */
  readonly pages: number;
  /** 4 KiB pages unmapped in all. */
  readonly unmappedPages: number;
  readonly pageSeconds: number;
  readonly ns: {
    readonly p50: Nanoseconds;
    readonly p95: Nanoseconds;
    readonly p99: Nanoseconds;
    readonly max: Nanoseconds;
  };
  /** Pages exposed at one instant at most. */
  readonly maxAtOnce: number;
  /** What ended the exposures: a command, replacement, an overflow that emptied the cache, a new map, or nothing (still open). */
  readonly endedBy: {
    readonly command: number;
    readonly replacement: number;
    readonly overflow: number;
    readonly remap: number;
    readonly open: number;
  };
  /** Exposed pages by duration: bucket i counts durations in [2^i, 2^(i+1)) ns. */
  readonly histogram: readonly number[];
}

/** Translations that were served though their page had been unmapped. */
export interface StaleCounts {
  /** Accesses served from a translation whose page was unmapped. */
  readonly translations: number;
  readonly maxAgeNs: Nanoseconds;
}

/** Counts over time for the pictures; all arrays have the same length. */
export interface TimeSeries {
  readonly binNs: Nanoseconds;
  readonly startNs: Nanoseconds;
  readonly commands: readonly number[];
  readonly syncs: readonly number[];
  readonly lookups: readonly number[];
  readonly hits: readonly number[];
  readonly exposedPages: readonly number[];
}

/** How a parameter is known. */
export type Standing = 'measured' | 'published' | 'fitted' | 'assumed';

/** One parameter of a cost or hardware profile, with where it comes from. */
export interface ProfileParameter {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly source: string;
  readonly standing: Standing;
}

/** What `iorr replay` answers. */
export interface ReplayResult {
  readonly hardware: string;
  readonly events: number;
  readonly durationNs: Nanoseconds;
  readonly iotlb: IotlbCounts | null;
  /** By cache: `iotlb`, `walk.l1` to `walk.l4`, `stage2`, `context`, `pasid`, `atc` (devices' own, all together); those that there are. */
  readonly caches: { readonly [name: string]: CacheCounts } | null;
  readonly walks: number | null;
  readonly walkReads: number | null;
  readonly faults: number;
  readonly commands: number;
  readonly commandsByType: { readonly [type: string]: number };
  readonly syncs: number;
  readonly doorbells: number;
  /** Commands that the hardware refused: they dropped nothing. */
  readonly commandErrors: readonly CommandErrorCount[];
  /** In the IOTLB. */
  readonly exposure: Exposure | null;
  /** In the caches of devices; null where none is modelled. */
  readonly deviceExposure: Exposure | null;
  readonly stale: StaleCounts | null;
  /** Invalidations that dropped nothing. */
  readonly wasted: number | null;
  readonly series: TimeSeries;
  readonly parameters: readonly ProfileParameter[];
  /** Figures rest on these: a missing stream, lost events, an access model. */
  readonly caveats: readonly string[];
  readonly wallNs: number;
  readonly eventsPerSecond: number;
}

/** Commands of a guest that did not reach the hardware. */
export interface HostListCounts {
  /** Refused, and told to the guest. */
  readonly refused: number;
  /** Acknowledged to the guest and never issued: 0 on a correct path. */
  readonly unissued: number;
}

/** Commands to devices' own caches (ATC, device TLB) and how the devices answered. */
export interface AtcCounts {
  readonly commands: number;
  /** Commands for each unmap; null without unmaps. */
  readonly perUnmap: number | null;
  readonly timeouts: number;
  /** Time that queues stood still for devices that did not answer. */
  readonly timeoutNs: Nanoseconds;
  /** Commands that the device never carried out, and that count as done. */
  readonly lost: number;
  /** Commands that were not sent because the device was cut off. */
  readonly unsent: number;
  /** DMA of devices that were cut off. */
  readonly blockedAccesses: number;
  readonly devices: readonly { readonly rid: RequesterId; readonly commands: number; readonly quarantined: boolean }[];
}

/** Durations, nearest rank. */
export interface WaitQuantiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: Nanoseconds;
  readonly p95: Nanoseconds;
  readonly p99: Nanoseconds;
  readonly max: Nanoseconds;
}

/** One command queue in modelled time. */
export interface QueueTime {
  /** The unit: index of its name in the trace's string table, -1 where the trace does not say; and that name. */
  readonly unit: number;
  readonly name?: string;
  /** Of the unit's queues. */
  readonly index: number;
  readonly commands: number;
  /** Less than the submissions where one CPU writes the tail for several (SMMUv3). */
  readonly tailWrites: number;
  /** Shares of the time in which the hardware worked, and in which somebody held the lock (or published). */
  readonly utilisation: number;
  readonly lockUtilisation: number;
  /** Most entries in the ring at once. */
  readonly deepest: number;
  /** Submissions that found it full, and for how long they waited for room. */
  readonly fullStalls: number;
  readonly fullStallNs: Nanoseconds;
  /** Share of each bin in which the hardware worked. */
  readonly series: {
    readonly binNs: Nanoseconds;
    readonly startNs: Nanoseconds;
    readonly utilisation: readonly number[];
  };
}

/** How long one device waited for translations, in modelled time. */
export interface DeviceStall {
  readonly rid: RequesterId;
  readonly requests: number;
  readonly walks: number;
  readonly walkReads: number;
  /** Requests for a page whose walk was under way: they waited for that walk. */
  readonly merged: number;
  /** Of all requests together. */
  readonly waitNs: Nanoseconds;
  /** Time in which at least one request waited. */
  readonly stallNs: Nanoseconds;
}

/** What so many cores get done that do nothing but think, submit and wait, as the trace's CPUs did. */
export interface CoresPoint {
  readonly cores: number;
  readonly submissionsPerSecond: number;
  /** Against one core. */
  readonly relative: number;
  /** Of the busiest queue: shares of the time in which its hardware worked, and in which its lock was held. */
  readonly utilisation: number;
  readonly lockUtilisation: number;
  /** Mean time between two submissions of a core. */
  readonly thinkNs: Nanoseconds;
  /** From wanting the queue until the core goes on. */
  readonly waitNs: { readonly mean: number; readonly p50: Nanoseconds; readonly p99: Nanoseconds };
}

/** How many cores the queues bear. */
export interface CoreScaling {
  readonly points: readonly CoresPoint[];
  readonly knee: {
    /** (think + wait of one core) / demand: more cores than this can't be served without waiting. Null without demand. */
    readonly bound: number | null;
    /** Least number of cores of which each does less than 90% of what it would without the others; null if none measured does. */
    readonly departs: number | null;
    /** Least number of cores at which the queue's hardware or its lock is busy 95% of the time; null if none measured is. */
    readonly saturates: number | null;
    /** Of those measured, the one with most submissions per second. */
    readonly peak: number;
  };
  /** What a submission takes of the busiest queue with one core: its hardware, and its lock without looks at the completion. */
  readonly demandNs: { readonly hardware: number; readonly lock: number };
}

/** What submissions waited for, in modelled time. */
export interface CommandTime {
  /** From wanting the queue until the CPU goes on, of submissions with a wait. */
  readonly submitToWait: WaitQuantiles;
  /** For the lock or a place in the ring, of all submissions. */
  readonly lockWait: WaitQuantiles;
  /** From the first event of the trace to the end of the trace or of the last submission. */
  readonly spanNs: Nanoseconds;
  /** How far a submission began after its recorded time, at most: the CPU was still waiting for the one before. */
  readonly lateNs: Nanoseconds;
  readonly queues: readonly QueueTime[];
  /** The 100 that stalled longest; none without accesses. */
  readonly devices: readonly DeviceStall[];
}

/** 4 KiB pages that page tables hold though no mapping asks for them: kept after their unmap, or rounded up to a larger leaf. */
export interface OverMapped {
  /** At one instant at most. */
  readonly maxPages: number;
  readonly pageSeconds: number;
}

/** A row of a comparison: what a design cost, and left exposed. */
export interface DesignResult {
  readonly name: string;
  readonly path: string;
  readonly unmaps: number;
  readonly commands: number;
  readonly commandsByType: { readonly [type: string]: number };
  readonly syncs: number;
  readonly doorbells: number;
  readonly exits: number;
  readonly ioctls: number;
  /** What a host that carries out lists refused; null on paths without one. */
  readonly lists: HostListCounts | null;
  /** Null where no device's cache got a command. */
  readonly atc: AtcCounts | null;
  readonly cpuNs: Nanoseconds;
  /** Time in which a device waited for a walk, of all devices together; null without accesses. */
  readonly stallNs: Nanoseconds | null;
  /** Submissions in modelled time. */
  readonly time: CommandTime;
  /** Only where it was asked for, and some CPU submitted something. */
  readonly scaling?: CoreScaling;
  readonly iotlb: IotlbCounts | null;
  /** By cache, named as in a replay; absent without accesses. */
  readonly caches?: { readonly [name: string]: CacheCounts };
  /** Page-table entries that walks read; absent without accesses. */
  readonly walkReads?: number;
  readonly exposure: Exposure | null;
  readonly stale: StaleCounts | null;
  readonly wasted: number | null;
  /** Of designs that place mappings themselves. Pages that were unmapped and stay reachable are in `exposure` too. */
  readonly overMapped?: OverMapped;
  /** Commands that the hardware refused, if any: they dropped nothing. */
  readonly commandErrors?: readonly CommandErrorCount[];
  readonly series: TimeSeries;
}

/** What a recording can show of itself: null is what no source of it could see. */
export interface RecordedResult
  extends Omit<
    DesignResult,
    'syncs' | 'doorbells' | 'exits' | 'ioctls' | 'lists' | 'atc' | 'cpuNs' | 'stallNs' | 'time'
  > {
  readonly syncs: number | null;
  readonly doorbells: number | null;
  readonly exits: number | null;
  readonly ioctls: number | null;
  readonly cpuNs: Nanoseconds | null;
  readonly stallNs: Nanoseconds | null;
}

/** What `iorr compare` answers. */
export interface CompareResult {
  readonly hardware: string;
  readonly profile: string;
  /** `recorded` (the trace's dma stream), the name of an access model, or `none`. */
  readonly access: string;
  readonly events: number;
  readonly durationNs: Nanoseconds;
  /** What the trace itself shows, replayed as recorded; null where it holds no commands. */
  readonly recorded: RecordedResult | null;
  readonly designs: readonly DesignResult[];
  /** Phase marks of the workload, for the pictures. */
  readonly marks: readonly { readonly t: Nanoseconds; readonly text: string }[];
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
}

/** What of a recording can be compared with the model. */
export type VerifyKind = 'ioctl' | 'dma' | 'inv' | 'pri';

/** An event of which the recording and the model say different things. */
export interface Divergence {
  /** Index of the event in the trace. */
  readonly event: number;
  readonly kind: VerifyKind;
  /** Which part of the outcome: `outcome`, `output`, `reset`, `w0`, `missing`, `extra`, ... */
  readonly what: string;
  readonly recorded: string;
  readonly model: string;
}

/** How many recorded outcomes were compared. */
export interface VerifyCounts {
  readonly checked: number;
  readonly agreed: number;
  readonly diverged: number;
}

/** What `iorr verify` answers. */
export interface VerifyResult extends VerifyCounts {
  readonly skipped: { readonly count: number; readonly reasons: { readonly [reason: string]: number } };
  readonly byKind: { readonly [K in VerifyKind]?: VerifyCounts };
  /** Parts of events, finer than `byKind`: `dma.outcome`, `dma.output`, `dma.reset`, `inv.flush`, `inv.wait`, ... */
  readonly byPart: { readonly [part: string]: VerifyCounts };
  /** Of the part `ioctl.unknown requests`: calls by request number. */
  readonly unknownRequests?: { readonly [request: string]: number };
  /** The first 100. */
  readonly divergences: readonly Divergence[];
  readonly notes: readonly string[];
}
