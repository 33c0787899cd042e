import type { NestedDomain } from './backend.ts';
import type { Device } from './device.ts';
import type { PageRequest } from './fault-queue.ts';
import type { HwptNested, HwptPaging } from './hwpt.ts';
import type { IommufdObject } from './objects.ts';

/** What the HWPT and attach code needs of a fault queue (drivers/iommu/iommufd/eventq.c). */
export interface FaultQueueObject extends IommufdObject {
  readonly type: 'fault';
  /** A whole group of page requests came by an attachment. */
  report(device: Device, hwpt: HwptPaging | HwptNested, pasid: number, requests: readonly PageRequest[]): void;
  /** `device` left `hwpt` by `pasid`, or `hwpt` goes: its groups, delivered or not, are answered INVALID and dropped. */
  drop(hwpt: HwptPaging | HwptNested, device?: Device, pasid?: number): void;
}

/** What HWPT_ALLOC and HWPT_INVALIDATE need of a vIOMMU (drivers/iommu/iommufd/viommu.c). */
export interface ViommuObject extends IommufdObject {
  readonly type: 'viommu';
  readonly parent: HwptPaging;
  /** The IOMMU instance of its devices. */
  readonly iommu: string | undefined;
  /** The driver's part of HWPT_ALLOC on this vIOMMU: a nested domain, or a negative errno. */
  allocNested(device: Device, flags: number, data: DriverData): NestedDomain | number;
  /** Runs `entries` in order: how many were done, and 0 or a negative errno. */
  invalidate(request: InvalidateRequest): InvalidateOutcome;
}

export interface VeventqObject extends IommufdObject {
  readonly type: 'veventq';
}

/** Driver-specific data behind a pointer: `read` copies it in by the kernel's rules. */
export interface DriverData {
  readonly type: number;
  readonly length: number;
  readonly address: bigint;
  /**
   * The kernel's struct of `size` bytes: EINVAL where `length` is below `minimum` or above `size`, EFAULT where unreadable;
   * what the user's shorter struct lacks is 0 (iommu_copy_struct_from_user).
   */
  read(minimum: number, size: number): Uint8Array | number;
}

/** What became of HWPT_INVALIDATE's array. */
export interface InvalidateOutcome {
  /** Entries that the driver reports as done. */
  readonly done: number;
  /** 0, or a negative errno. */
  readonly ret: number;
  /** Entries whose commands the hardware got, where those are not `done`. */
  readonly issued?: number;
}

/** HWPT_INVALIDATE's array. */
export interface InvalidateRequest {
  readonly type: number;
  readonly address: bigint;
  readonly entryLength: number;
  readonly count: number;
  /** Bytes at `address`, or undefined for EFAULT. */
  readBytes(address: bigint, length: number): Uint8Array | undefined;
}
