import type { Device } from './device.ts';
import type { HwptNested, HwptPaging } from './hwpt.ts';
import type { DriverData, InvalidateOutcome, InvalidateRequest, ViommuObject } from './parts.ts';
import type { MsiRoute } from './hardware/reserved-regions.ts';
import type { SvaDomain } from './sva.ts';
import type { ViommuBackend } from './viommu-driver.ts';

/** A range of IOVAs, both ends inclusive. */
export interface IovaRange {
  readonly start: bigint;
  readonly last: bigint;
}

/** What a driver's paging domain tells the core (struct iommu_domain). */
export interface PagingDomain {
  readonly aperture: IovaRange;
  /** Bitmap of page sizes; its lowest bit is the domain's alignment. */
  readonly pageSizes: bigint;
  readonly dirtyOps: boolean;
  /** Dirty state and page sizes of entries, where the driver has dirty ops. */
  readonly format: 'amdv1-mock' | 'plain';
  dirtyTracking: boolean;
  /** Which stage of translation the table is, where hardware has both; undefined: second. */
  readonly stage?: 1 | 2;
  /** Snooping can't be turned off by a device (enforce_cache_coherency). */
  readonly enforcedCoherency?: boolean;
}

/** A driver's nested domain. */
export interface NestedDomain {
  /** Non-zero: the negative errno with which an attach of `device` fails. */
  attach(device: Device, pasid: number): number;
  /** Runs the entries in order; undefined where the driver has no such op (EOPNOTSUPP). */
  invalidate?(request: InvalidateRequest): InvalidateOutcome;
  /** Whether the device keeps translations of its own while it is attached; undefined: never. */
  usesDeviceTlb?(device: Device): boolean;
  /** False: there is no table of the guest, its entry lets all through or nothing. */
  readonly translates?: boolean;
  /** CAP.MAMV of the unit, where its commands name ranges by a mask. */
  readonly maxAddressMask?: number;
  /** The vIOMMU that it was made from. */
  readonly viommu?: ViommuObject | undefined;
}

/**
 * The driver under the core: mock, VT-d, AMD, SMMUv3, or as recorded. Pure: it answers by its rules and keeps state only in the
 * domains that it makes. Every function that returns `number` in a union gives a negative errno there.
 */
export interface Backend {
  readonly name: string;
  /** flags of HWPT_ALLOC, already checked by the core against its own rules. */
  allocPaging(device: Device, flags: number, data: DriverData): PagingDomain | number;
  /** Nested on a paging parent; undefined: the driver has no nested op (EOPNOTSUPP). */
  allocNested?(device: Device, parent: HwptPaging, flags: number, data: DriverData): NestedDomain | number;
  /** GET_HW_INFO: type and payload; undefined: no such op (type 0, no bytes). */
  hwInfo?(device: Device, type: number): { readonly type: number; readonly bytes: Uint8Array } | number;
  /** Driver's own refusal of an attach or a replace (`pasid` 0: RID); called before anything changes. */
  attach(
    device: Device,
    pasid: number,
    hwpt: HwptPaging | HwptNested,
    old: HwptPaging | HwptNested | undefined,
  ): number;
  /** Driver's own refusal of a process's page table on a PASID. */
  attachSva?(device: Device, domain: SvaDomain): number;
  /** A PASID of the device went back to blocked. */
  detachPasid?(device: Device, pasid: number): void;
  /** Told after each change of what a device's DMA by `pasid` goes through; undefined: nothing, it is blocked. */
  changed?(device: Device, pasid: number, to: HwptPaging | HwptNested | SvaDomain | undefined): void;
  /** vIOMMUs; undefined: VIOMMU_ALLOC is EOPNOTSUPP. */
  readonly viommu?: ViommuBackend;
}

/** What a device's driver says of it. */
export interface DeviceTraits {
  readonly dirtyTracking: boolean;
  /** log2 of the number of PASIDs; 0: none. */
  readonly pasidBits: number;
  /** out_capabilities of GET_HW_INFO beyond dirty tracking. */
  readonly capabilities: number;
  /** Reserved by RID attach: MSI window, RMRRs. */
  readonly reserved: readonly IovaRange[];
  /** Nested RID domains get the faults of PASIDs (user_pasid_table). */
  readonly userPasidTable: boolean;
  /**
   * A virtual function whose physical function has page requests: they share the capability, so that a guest's answers to the
   * one would reach the other.
   */
  readonly sharedPageRequests?: boolean;
  /** False: there may be reserved regions that nobody knows of. */
  readonly reservedKnown?: boolean;
  /** How its interrupts reach the controller, where that is known. */
  readonly msiRoute?: MsiRoute;
  /** Firmware wants a 1:1 mapping for it that can't be waived: user space can't take it over. */
  readonly oneToOne?: boolean;
  /** The IOMMU instance that the device is behind, where there are several. */
  readonly iommu?: string;
}
