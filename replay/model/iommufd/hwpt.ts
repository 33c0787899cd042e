import type { NestedDomain, PagingDomain } from './backend.ts';
import type { Context } from './context.ts';
import type { DirtyBits } from './dirty-bits.ts';
import type { Ioas } from './ioas.ts';
import type { IommufdObject } from './objects.ts';
import type { FaultQueueObject, ViommuObject } from './parts.ts';

/** Flags of HWPT_ALLOC (enum iommufd_hwpt_alloc_flags). */
export const HWPT_FLAG = { nestParent: 1, dirty: 2, fault: 4, pasid: 8 } as const;

/** A paging domain on an IOAS: manual (HWPT_ALLOC) or automatic (attach by IOAS id). */
export class HwptPaging implements IommufdObject {
  readonly type = 'hwptPaging';
  id = 0;
  users = 1;
  readonly context: Context;
  readonly ioas: Ioas;
  readonly domain: PagingDomain;
  readonly nestParent: boolean;
  readonly pasidCompat: boolean;
  /** Destroyed by the kernel with its last attachment. */
  auto = false;
  fault: FaultQueueObject | undefined = undefined;
  /** Dirty entries, made at the first use. */
  dirty: DirtyBits | undefined = undefined;

  constructor(context: Context, ioas: Ioas, domain: PagingDomain, flags: number) {
    this.context = context;
    this.ioas = ioas;
    this.domain = domain;
    this.nestParent = (flags & HWPT_FLAG.nestParent) !== 0;
    this.pasidCompat = (flags & HWPT_FLAG.pasid) !== 0;
    ioas.users++;
    ioas.hwpts.push(this);
  }

  destroy(): void {
    this.ioas.removeDomain(this.domain);
    const at = this.ioas.hwpts.indexOf(this);
    if (at >= 0) this.ioas.hwpts.splice(at, 1);
    this.ioas.users--;
    this.fault?.drop(this, undefined);
    if (this.fault !== undefined) this.fault.users--;
  }
}

/** A guest's page table on a paging parent, directly or through a vIOMMU. */
export class HwptNested implements IommufdObject {
  readonly type = 'hwptNested';
  id = 0;
  users = 1;
  readonly context: Context;
  readonly parent: HwptPaging;
  readonly domain: NestedDomain;
  readonly viommu: ViommuObject | undefined;
  readonly pasidCompat: boolean;
  fault: FaultQueueObject | undefined = undefined;

  constructor(context: Context, parent: HwptPaging, domain: NestedDomain, flags: number, viommu?: ViommuObject) {
    this.context = context;
    this.parent = parent;
    this.domain = domain;
    this.viommu = viommu;
    this.pasidCompat = (flags & HWPT_FLAG.pasid) !== 0;
    (viommu ?? parent).users++;
  }

  destroy(): void {
    this.fault?.drop(this, undefined);
    if (this.fault !== undefined) this.fault.users--;
    (this.viommu ?? this.parent).users--;
  }
}

export type Hwpt = HwptPaging | HwptNested;

/** The paging domain under a HWPT: itself, or the nested one's parent. */
export function pagingOf(hwpt: Hwpt): HwptPaging {
  return hwpt.type === 'hwptPaging' ? hwpt : hwpt.parent;
}
