import type { NestedDomain } from './backend.ts';
import type { Device } from './device.ts';
import type { HwQueue } from './hw-queue.ts';
import type { MmapRegion } from './mmap-regions.ts';
import type { DriverData, InvalidateOutcome, InvalidateRequest } from './parts.ts';
import type { Viommu } from './viommu.ts';

/** A driver's support of vIOMMUs (get_viommu_size, viommu_init). */
export interface ViommuBackend {
  /** Types that VIOMMU_ALLOC knows. */
  readonly types: readonly number[];
  /** The driver's part of a new vIOMMU, or a negative errno. `data` undefined: the caller gave none; `write` copies back to it. */
  create(viommu: Viommu, data: DriverData | undefined, write: (bytes: Uint8Array) => boolean): ViommuDriver | number;
}

/** The driver's part of one vIOMMU (struct iommufd_viommu_ops). What is missing is EOPNOTSUPP. */
export interface ViommuDriver {
  /** Memory that user space may map; a live mapping keeps the vIOMMU. */
  readonly region?: MmapRegion | undefined;
  allocNested?(device: Device, flags: number, data: DriverData): NestedDomain | number;
  invalidate?(request: InvalidateRequest): InvalidateOutcome;
  readonly queues?: ViommuQueues;
  destroy(): void;
}

/** Hardware queues of a vIOMMU. */
export interface ViommuQueues {
  readonly types: readonly number[];
  /** 0, or a negative errno. */
  init(queue: HwQueue, index: number): number;
  /** Only for a queue whose `init` succeeded. */
  remove(queue: HwQueue): void;
}
