import { DIALECT } from '../../traces/schema.ts';
import type { DomainId, Nanoseconds, PageNumber, RequesterId } from '../../traces/units.ts';
import type { ProfileParameter } from '../results.ts';

/** Pages that were mapped. Whoever makes one may use it again for the next: a design does not keep it. */
export interface MapIntent {
  readonly domain: DomainId;
  readonly first: PageNumber;
  readonly last: PageNumber;
  /** Physical page minus page. */
  readonly offset: number;
  /** `ACCESS` bits. */
  readonly prot: number;
  /** Blocks whose empty lower table gave way to a large leaf, first and last page; -1: none. */
  readonly replacedFirst: PageNumber;
  readonly replacedLast: PageNumber;
  readonly cpu: number;
  readonly task: number;
  readonly time: Nanoseconds;
}

/** Pages that were unmapped; may be used again, like `MapIntent`. */
export interface UnmapIntent {
  readonly domain: DomainId;
  readonly first: PageNumber;
  readonly last: PageNumber;
  /** 1 if a lower table went with them. */
  readonly freedTable: number;
  readonly cpu: number;
  readonly task: number;
  readonly time: Nanoseconds;
}

/**
 * An invalidation design: what an operating system's driver does to the IOMMU's caches when a page table changes. It sees
 * intents only (no time but that of the intents, no cache) and answers with native commands through a `CommandEmitter`. What the
 * commands look like is the affair of its `DomainFlush`, one for each dialect.
 *
 * Pages are 4 KiB page numbers; ranges are inclusive.
 */
export interface Design {
  /** A device or IOMMU starts to cache translations of a domain. Order is the order in which it will be flushed. */
  assignTag(tag: CacheTag): void;
  unassignTag(tag: CacheTag): void;
  /**
   * The flush policy that the domain's owner asked for. Domains are `managed` (DMA API) until told otherwise; those that user
   * space owns through VFIO or IOMMUFD never use a flush queue (drivers/iommu/dma-iommu.c).
   */
  setManaged(domain: DomainId, managed: boolean): void;
  map(intent: MapIntent): void;
  /** Nothing need be flushed before `sync`. */
  unmap(intent: UnmapIntent): void;
  /** The caller wants what it unmapped to be gone (or queued, where the design queues). */
  sync(domain: DomainId, cpu: number, task: number, time: Nanoseconds): void;
  /** The caller wants its new mappings to be usable by the device. */
  syncMap(domain: DomainId, cpu: number, task: number, time: Nanoseconds): void;
  /** A timer that the design armed has expired. */
  expire(timer: number, time: Nanoseconds): void;
  /** The design's own address allocator and page tables. Absent: mappings lie where they were recorded, and go with their unmap. */
  readonly placement?: Placement;
}

/**
 * Where mappings lie and what the page tables hold of them, for designs that have a say in it. Unmaps and accesses follow a mapping
 * to its place, and `map`, `unmap` and `defer` of the design speak of places, not of recorded addresses. What stays in the tables
 * after its unmap is exposed until a mapping asks for it again.
 */
export interface Placement {
  /**
   * Before `Design.map`: writes what is not there yet of a mapping, given with its recorded addresses, through `tables`. Returns
   * the first page of its place; pages of one mapping lie together.
   */
  map(intent: MapIntent, tables: TableWriter): PageNumber;
  /** Before `Design.unmap`: clears what is to go of the pages, given by their place. Returns 1 if a lower table went with them. */
  unmap(intent: UnmapIntent, tables: TableWriter): number;
}

/** The page tables of a machine, as far as a `Placement` writes them. */
export interface TableWriter {
  /** Writes leaves for pages, the largest that fit. `offset`: physical page minus page. `prot`: `ACCESS` bits. */
  map(domain: DomainId, first: PageNumber, last: PageNumber, offset: number, prot: number): void;
  /** Clears entries. Returns 1 if a lower table went with them. */
  unmap(domain: DomainId, first: PageNumber, last: PageNumber): number;
}

/** Where a design's commands go. Words are int32 halves of the 64-bit words that the hardware reads. */
export interface CommandEmitter {
  command(
    unit: number,
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo: number,
    w2Hi: number,
    w3Lo: number,
    w3Hi: number,
  ): void;
  /** Closes what was emitted for the unit: one wait command, one write of the tail register, and the submitter waits. */
  submit(unit: number): void;
  /** Hands over what was emitted for the unit without a wait. */
  publish(unit: number): void;
  /**
   * A range was put off to a later flush: its addresses must not be handed out again before `release` of the number returned.
   * A recording shows the addresses of its own allocator, which may have reused them earlier; the engine then moves the mapping.
   */
  defer(domain: DomainId, first: PageNumber, last: PageNumber): number;
  release(deferred: number): void;
  /** (Re)arms a timer of the design; at most one expiry per arming. Timer numbers are the design's own. */
  arm(timer: number, at: Nanoseconds): void;
}

/** A cache that holds translations of a domain (drivers/iommu/intel/cache.c, struct cache_tag). */
export interface CacheTag {
  readonly domain: DomainId;
  /** Index of the unit's name in the trace's string table. */
  readonly unit: number;
  /** `TAG_TYPE_NAMES` index: 0 IOTLB, 1 device TLB, 2 and 3 the same of a nesting parent. */
  readonly type: number;
  /** Requester of a device TLB; -1 for an IOMMU's own. */
  readonly device: RequesterId;
  readonly pasid: number;
}

/** What the hardware and the system offer, as far as a driver's choice of commands depends on it. */
export interface DesignContext {
  /** Whose commands: `DIALECT`. */
  readonly dialect: number;
  /** Linux version whose rules hold: major x 100 + minor. */
  readonly kernel: number;
  /** Mapping must flush too: CAP.CM of VT-d, NpCache of AMD, both set by emulators only. */
  readonly cachingMode: boolean;
  /** Domains whose tables are first-stage: PASID-based commands (VT-d, AMD). */
  readonly firstStage: ReadonlySet<DomainId>;
  /** CAP.MAMV: the largest address mask of a page-selective command. VT-d spec 11.4.2. */
  readonly maxAddressMask: number;
  /** CAP.DRD and CAP.DWD as the low-word bits 7 and 6 of an IOTLB command. VT-d. */
  readonly drainBits: number;
  /** Bits of a device-TLB command beside type and source id (queue depth, PFSID, queue id), by requester; 0 if not listed. VT-d, AMD. */
  readonly deviceBits: ReadonlyMap<RequesterId, { readonly lo: number; readonly hi: number }>;
  /** IDR3.RIL: TLBI commands can name ranges. SMMUv3. */
  readonly rangeInvalidation: boolean;
  /** The driver runs with E2H, so that stage 1 is invalidated by EL2 commands. SMMUv3. */
  readonly el2: boolean;
  /** log2 of bytes of the smallest page. SMMUv3. */
  readonly granuleShift: number;
  /** Bits of an I/O virtual address. */
  readonly addressBits: number;
  /**
   * Whether invalidations of leaves leave paging-structure caches alone where the architecture can say so (IH of VT-d, PDE of
   * AMD, Leaf of SMMUv3). Absent: as the kernel version does it. Commands behind a freed table always drop them.
   */
  readonly walkCaches?: 'kept' | 'dropped';
}

export const DEFAULT_CONTEXT: DesignContext = {
  dialect: DIALECT.vtd,
  kernel: 702,
  cachingMode: false,
  firstStage: new Set(),
  // 18: what both QEMU and current servers report; 2^18 pages = 1 GiB
  maxAddressMask: 18,
  drainBits: 0xc0,
  deviceBits: new Map(),
  rangeInvalidation: true,
  el2: false,
  granuleShift: 12,
  addressBits: 48,
};

/** A named knob of a design. */
export interface DesignParameter extends ProfileParameter {
  /** Least and largest value; 0 to 2^31 - 1 where absent. */
  readonly range?: readonly [number, number];
}

/**
 * What may still be cached of pages that were unmapped. `before-return`: nothing once the caller's `sync` is done.
 * `before-reuse`: nothing once their addresses can be handed out again. `none`: they may stay reachable.
 */
export type DesignPromise = 'before-return' | 'before-reuse' | 'none';

/** A member of the registry (`designs.ts`): one file each. */
export interface DesignFactory {
  readonly name: string;
  readonly summary: string;
  /** Of domains that the DMA API owns; in those of user space every design flushes before it returns. */
  readonly promise: DesignPromise;
  /** Named knobs of the design with their defaults, in the units that they say. `name@value` sets the first. */
  readonly parameters: readonly DesignParameter[];
  create(emit: CommandEmitter, context: DesignContext, parameter: (name: string) => number): Design;
}
