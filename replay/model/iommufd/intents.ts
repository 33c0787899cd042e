/** One piece of an address space that is mapped by one call of the kernel's iommu_map. */
export interface MappedPiece {
  readonly start: bigint;
  /** Inclusive. */
  readonly last: bigint;
  /** 1 READ, 2 WRITE. */
  readonly prot: number;
  /** Physical address of the first byte; where the recording has no page frames, the user address or file offset stands in. */
  readonly physical: bigint;
}

/** One request for a dirty bitmap. */
export interface Harvest {
  readonly iova: bigint;
  readonly length: bigint;
  /** Bytes of one bit. */
  readonly pageSize: bigint;
  /** As the caller gave them: 1 NO_CLEAR. */
  readonly flags: number;
  /** Undefined where the caller's memory was not recorded. */
  readonly bitmap: Uint8Array | undefined;
}

/** A guest behind a vIOMMU. */
export interface IntentGuest {
  /** The paging domain that all of it is on. */
  readonly parent: object;
  /** Name of the IOMMU that it has a part of. */
  readonly iommu: string | undefined;
  /** The device that the guest knows by an id. */
  deviceOf(virtual: bigint): object | undefined;
}

/** Entries of one HWPT_INVALIDATE whose commands the hardware got. */
export interface InvalidatedEntries {
  /** enum iommu_hwpt_invalidate_data_type. */
  readonly type: number;
  /** Set where they came through a vIOMMU, whose types are counted apart. */
  readonly guest: IntentGuest | undefined;
  readonly entries: readonly Uint8Array[];
  /** `NestedDomain.maxAddressMask`. */
  readonly maxAddressMask: number | undefined;
}

/** How a device stands behind a guest's table. */
export interface Nesting {
  /** The paging domain under it. */
  readonly parent: object;
  /** Name of the IOMMU. */
  readonly iommu: string | undefined;
  /** False: the guest's entry lets all through or nothing. */
  readonly translates: boolean;
  /** The device keeps translations of its own. */
  readonly deviceTlb: boolean;
}

/**
 * Told what calls do to I/O page tables, in the order in which the kernel does it. A domain or device is any object, the same
 * each time. What is undone in a failing call is not told.
 */
export interface IntentListener {
  mapped(domain: object, piece: MappedPiece, by: 'iommufd' | 'vfio'): void;
  /** `last` is inclusive. One iommu_unmap, of a whole area. */
  unmapped(domain: object, start: bigint, last: bigint, by: 'iommufd' | 'vfio'): void;
  /**
   * Attached, or moved to another domain, a guest's table where `nesting` is set. Device undefined: those of a VFIO container,
   * which it does not name.
   */
  attached(device: object | undefined, pasid: number, domain: object, nesting?: Nesting): void;
  detached(device: object | undefined, pasid: number, domain: object): void;
  tracking(domain: object, on: boolean): void;
  harvested(domain: object, harvest: Harvest): void;
  invalidated(domain: object, invalidation: InvalidatedEntries): void;
}
