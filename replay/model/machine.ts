import type { DomainId, Nanoseconds, RequesterId } from '../../traces/units.ts';
import type { CacheCounts, CommandErrorCount, Exposure, IotlbCounts, StaleCounts } from '../results.ts';
import type { CacheEntries } from './cache-entries.ts';
import type { ExposureTotals } from './exposure.ts';
import type { MissCauses } from './miss-causes.ts';
import type { TrackedCache } from './tracked-cache.ts';

/**
 * The modelled IOMMU: page tables, translation caches and a staleness oracle behind one interface. It knows nothing of traces,
 * designs or terminals. Recorded replay, verification and every design drive one machine each.
 *
 * Addresses and sizes are two int32 words (low, high), exactly as trace columns hold them. Calls must come in time order; a
 * time earlier than the last one is taken as the last one wherever a duration is measured.
 */
export interface Machine {
  /** Accesses of (rid, pasid) are translated by this domain from now on. `pasid` is -1 for requests without PASID. */
  attach(rid: RequesterId, pasid: number, domain: DomainId): void;

  /**
   * The driver wrote page-table entries. Returns `MAP_RESULT` bits. The page tables stay the truth for `unmap` and `access`.
   * Pages that were mapped already are replaced (`overlap`).
   */
  map(
    time: Nanoseconds,
    domain: DomainId,
    iovaLo: number,
    iovaHi: number,
    physLo: number,
    physHi: number,
    sizeLo: number,
    sizeHi: number,
    prot: number,
  ): number;

  /**
   * The driver cleared page-table entries. Pages still cached are exposed from now on. Returns `UNMAP_RESULT` bits:
   * `freedTable` is what makes Linux send its invalidation with IH = 0.
   * `event` is the index of the trace's event (-1: none), kept so that a stale hit can name its unmap.
   */
  unmap(
    time: Nanoseconds,
    domain: DomainId,
    iovaLo: number,
    iovaHi: number,
    sizeLo: number,
    sizeHi: number,
    event: number,
  ): number;

  /** The `dialect` column of the commands that this hardware takes. */
  readonly dialect: number;

  /**
   * From now on the tables of `domain` are a first stage whose addresses those of `parent` translate: maps and unmaps of `domain`
   * are in guest-physical addresses. Its IOTLB entries hold both stages.
   */
  nest(domain: DomainId, parent: DomainId): void;

  /** The device translates through a cache of its own (ATS) from now on, if the profile has such caches. */
  enableDeviceTlb(rid: RequesterId): void;

  /**
   * The hardware took one native command of its dialect, given by its first words (the third matters to virtio only), and dropped
   * what it names. Returns how many cached translations, paging structures and configuration entries went; -1 for a command
   * that it refuses (`MachineCounts.errors`).
   */
  command(
    time: Nanoseconds,
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo?: number,
    w2Hi?: number,
  ): number;

  /**
   * One DMA request. Returns `ACCESS_RESULT` bits; `last` tells more about it.
   * `domain` is -1 where the attached domain translates. `pageShift` is the page size to assume on a miss where the machine
   * holds no page table of the domain (0: 4 KiB), and is ignored elsewhere. `access` as in `ACCESS` of the trace schema.
   */
  access(
    time: Nanoseconds,
    rid: RequesterId,
    pasid: number,
    domain: DomainId,
    iovaLo: number,
    iovaHi: number,
    access: number,
    pageShift: number,
  ): number;

  /**
   * Accesses and commands at the time in `clock[0]`, for loops that set it themselves: a number that is no small integer costs a heap object
   * per call as an argument. Never set the clock back.
   */
  readonly accessNow: (
    rid: RequesterId,
    pasid: number,
    domain: DomainId,
    iovaLo: number,
    iovaHi: number,
    access: number,
    pageShift: number,
  ) => number;
  readonly commandNow: (w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number, w2Lo?: number, w2Hi?: number) => number;
  readonly clock: Float64Array;

  /** Everything cached is gone, not by a command (translation enabled, unit reset). Page tables and attachments stay. */
  reset(time: Nanoseconds): void;

  /** Closes what is still exposed (`endedBy.open`, counted up to `time`) and gives all counts. Call once, last. */
  finish(time: Nanoseconds): MachineCounts;

  /** Domain that (rid, pasid) is attached to, -1 if not known. */
  domainOf(rid: RequesterId, pasid: number): DomainId;

  /**
   * log2 of the 4 KiB pages of the entry that an access would be cached in if it missed now, by the tables or else by `pageShift`;
   * -1 where two stages don't map it.
   */
  entryOrder(rid: RequesterId, pasid: number, iovaLo: number, iovaHi: number, pageShift: number): number;

  /** Level of the leaf that maps an address in a domain's tables; -1 where it is not mapped, -2 for a domain without page tables. */
  translate(domain: DomainId, iovaLo: number, iovaHi: number): number;

  /** About the newest access. */
  readonly last: LastAccess;
  /** The cache itself, by slot. Read only. */
  readonly entries: CacheEntries;
  /** Why its lookups missed. Read only. */
  readonly causes: MissCauses;

  /** 4 KiB pages exposed now. */
  readonly exposedPages: number;
  /** Most pages that were exposed at once since the last call of this. */
  takePeakExposed(): number;
  /** Sum over all lookups and hits so far, for time series. */
  readonly lookups: number;
  readonly hits: number;
  /** Table entries that walks have read so far. */
  readonly walkReads: number;
}

/** `overlap`: some page was mapped already and was replaced. `freedTable`: a lower table gave way to a larger leaf. */
export const MAP_RESULT = { overlap: 1, freedTable: 2 } as const;

/**
 * `freedTable`: the range covered all that a lower table maps, so the table was freed (IH = 0). `missing`: some page of the
 * range was not mapped. `split`: the range starts inside a larger leaf, which stays, as in drivers/iommu/generic_pt.
 */
export const UNMAP_RESULT = { freedTable: 1, missing: 2, split: 4 } as const;

/**
 * `hit` or else a miss; `reset`: the cache was emptied for this insertion; `fault`: no mapping (nothing was inserted);
 * `stale`: a hit on a translation that the page tables don't have any more; `unknownDomain`: no domain is known for the
 * requester, so that the entry can only be dropped by global commands; `device`: the hit was in the device's own cache;
 * `elsewhere`: another machine looks such pages up (`MachineOptions.only`), and a device took what the tables say; `unlike`: it
 * took something else from this one, which others don't know.
 */
export const ACCESS_RESULT = {
  hit: 1,
  reset: 2,
  fault: 4,
  stale: 8,
  unknownDomain: 16,
  device: 32,
  elsewhere: 64,
  unlike: 128,
} as const;

/** Where the newest access was served from. After a hit only `slot` is set: the rest is in `entries`. */
export interface LastAccess {
  /** Slot of the IOTLB; -1 after a fault, a hit in the device's own cache, or without IOTLB. */
  slot: number;
  /** After a miss: number of the translation among all that ever missed, by which a later miss of it is known; -1: too many. */
  record: number;
  /** Of the leaf: log2 of its 4 KiB pages. */
  order: number;
  /** Output of the first page of what was cached, as the two int32 words of a page number. Only if `translated`. */
  outLo: number;
  outHi: number;
  /** The page tables gave the output; false where there was no page table to ask. */
  translated: boolean;
}

/** What a machine is made of. */
export interface MachineOptions {
  /**
   * An access to a page that the page tables don't map, or not with that permission: `fault` (default), or `fill`: cache a
   * translation without output, since the source recorded that it was translated and only its order may be off.
   */
  readonly unmappedAccess?: 'fault' | 'fill';
  /** Where exposures of the IOTLB are added up, for a caller that has exposures of its own. */
  readonly exposure?: ExposureTotals;
  /**
   * The pages that this machine is asked for, of a replay that several share: sets of the IOTLB, all of them whole. Its walks find
   * nothing cached, and no miss is one of conflict: those are for who sees all misses.
   */
  readonly only?: (tag: number, pageLo: number, pageHi: number) => boolean;
  /** With `only`: the caches of devices are another machine's to report, though this one has them, too. Default: no. */
  readonly silentDevices?: boolean;
  /** Called for each cached translation before it goes: its slot, why (`DROP`), and the cache (`name` is `iotlb` or `atc`). */
  readonly onDrop?: ((slot: number, why: number, cache: TrackedCache) => void) | undefined;
}

/** A hit on a translation whose page was unmapped. */
export interface StaleFinding {
  /** Which cache served it: `iotlb`, or `atc` for a device's own. */
  readonly cache: string;
  readonly time: Nanoseconds;
  readonly rid: RequesterId;
  readonly domain: DomainId;
  /** Address of the first byte of the page, as two int32 words. */
  readonly iovaLo: number;
  readonly iovaHi: number;
  readonly ageNs: Nanoseconds;
  /** Index of the unmap event in the trace, -1 if not known. */
  readonly unmapEvent: number;
}

/** All that a machine counted. Fields are plain numbers: whether they mean anything (accesses? maps?) is the caller's to say. */
export interface MachineCounts {
  readonly iotlb: IotlbCounts;
  /** By cache: `iotlb`, `walk.l1` to `walk.l4`, `stage2`, `context`, `pasid`, `atc` (all devices together); those that the hardware has. */
  readonly caches: { readonly [name: string]: CacheCounts };
  /** Page-table walks, one per miss that reached the tables, and the entries that they read. */
  readonly walks: number;
  readonly walkReads: number;
  readonly faults: number;
  /** Of the IOTLB. */
  readonly exposure: Exposure;
  /** Of the caches of devices, all together; undefined where none has one. */
  readonly deviceExposure: Exposure | undefined;
  readonly stale: StaleCounts;
  /** The first 100. */
  readonly staleFindings: readonly StaleFinding[];
  /** IOTLB commands that dropped nothing. */
  readonly wasted: number;
  /** Commands that the hardware refused, and by error. */
  readonly malformed: number;
  readonly errors: readonly CommandErrorCount[];
  /** Maps over pages that were mapped, unmaps of pages that were not. */
  readonly overlaps: number;
  readonly missing: number;
  /** Accesses that were filled although the tables had no mapping (`unmappedAccess: 'fill'`). */
  readonly unbacked: number;
  /** True if so many distinct pages were cached that some repeated misses count as compulsory. */
  readonly historyFull: boolean;
}
