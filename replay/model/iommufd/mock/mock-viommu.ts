import { PAGE_SIZE } from '../backing.ts';
import type { Device } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import type { Hwpt } from '../hwpt.ts';
import type { HwQueue } from '../hw-queue.ts';
import { allEntries } from '../invalidate-entries.ts';
import type { MmapRegion } from '../mmap-regions.ts';
import type { DriverData, InvalidateOutcome, InvalidateRequest } from '../parts.ts';
import { StructView } from '../struct-view.ts';
import type { Viommu } from '../viommu.ts';
import type { ViommuBackend, ViommuDriver, ViommuQueues } from '../viommu-driver.ts';
import { MOCK_INVALIDATE, MockNestedDomain, mockNested } from './mock-nested.ts';
import type { MockDevice } from './mock-nested.ts';

/** drivers/iommu/iommufd/selftest.c and iommufd_test.h. */
const MOCK_VIOMMU = 0xdead_beef;
const MOCK_QUEUE = 0xdead_beef;
const MAX_QUEUES = 2;
/** struct iommu_viommu_selftest {in_data, out_data, out_mmap_offset, out_mmap_length}: user space may stop behind out_data. */
const DATA_MINIMUM = 8;
const DATA_BYTES = 24;
/** struct iommu_viommu_invalidate_selftest {flags, vdev_id, cache_id}; flag 1: all words. */
const ENTRY_BYTES = 12;
/** The array is copied to one kmalloc. */
const MAX_ARRAY_BYTES = 4 << 20;

/**
 * The mock driver's part of an attach by RID. It takes the device's virtual id only where the vIOMMU changes; a detach (no
 * `replaced`) forgets both. -ENOENT where the device has no vDEVICE in the vIOMMU.
 */
export function attachMockViommu(device: Device, mock: MockDevice, hwpt: Hwpt, replaced: boolean): number {
  const viommu = hwpt.domain instanceof MockNestedDomain ? hwpt.domain.viommu : undefined;
  const old = replaced ? mock.viommu : undefined;
  const virtualId = viommu?.virtualIdOf(device) ?? 0n;
  if (viommu !== undefined && viommu.virtualIdOf(device) === undefined) return -ERRNO.ENOENT;
  mock.viommu = viommu;
  if (viommu !== old) mock.virtualId = virtualId;
  return 0;
}

class MockViommu implements ViommuDriver {
  readonly #viommu: Viommu;
  readonly region: MmapRegion | undefined;
  readonly queues: ViommuQueues;

  constructor(viommu: Viommu, region: MmapRegion | undefined) {
    this.#viommu = viommu;
    this.region = region;
    this.queues = mockQueues(viommu);
  }

  allocNested(_device: Device, flags: number, data: DriverData): MockNestedDomain | number {
    if ((flags & ~HWPT_FLAG.pasid) !== 0) return -ERRNO.EOPNOTSUPP;
    return mockNested(data, this.#viommu);
  }

  invalidate(request: InvalidateRequest): InvalidateOutcome {
    const { type, count } = request;
    if (count === 0 && type === MOCK_INVALIDATE) return { done: 0, ret: 0 };
    // The count is not touched where the allocation fails.
    if (count * ENTRY_BYTES > MAX_ARRAY_BYTES) return { done: count, ret: -ERRNO.ENOMEM, issued: 0 };
    if (type !== MOCK_INVALIDATE) return { done: 0, ret: -ERRNO.EINVAL };
    const entries = allEntries(request, ENTRY_BYTES);
    if (typeof entries === 'number') return { done: 0, ret: entries };
    for (const [done, entry] of entries.entries()) {
      const ret = this.#one(new StructView(entry));
      if (ret !== 0) return { done, ret };
    }
    return { done: count, ret: 0 };
  }

  destroy(): void {
    if (this.region !== undefined) this.#viommu.context.mmapRegions.remove(this.region);
  }

  #one(entry: StructView): number {
    const flags = entry.u32(0);
    const word = entry.u32(8);
    if ((flags & ~1) !== 0) return -ERRNO.EOPNOTSUPP;
    const device = this.#viommu.vdevices.get(BigInt(entry.u32(4)))?.device;
    if (word > 3 || device === undefined) return -ERRNO.EINVAL;
    const { cache } = device.driverData as MockDevice;
    if ((flags & 1) !== 0) cache.fill(0);
    else cache[word] = 0;
    return 0;
  }
}

/**
 * Two queues, the second only after the first. The driver never stores a queue's index, so that whichever goes frees slot 0
 * (quirk mock-queue-slot).
 */
function mockQueues({ context: { machine } }: Viommu): ViommuQueues {
  const slots: (HwQueue | undefined)[] = [];
  const documented: (HwQueue | undefined)[] = [];
  const previous = new Map<HwQueue, HwQueue>();
  const check = (at: readonly (HwQueue | undefined)[], index: number): number => {
    if (index >= MAX_QUEUES) return -ERRNO.EINVAL;
    if (at[index] !== undefined) return -ERRNO.EEXIST;
    return index > 0 && at[index - 1] === undefined ? -ERRNO.EIO : 0;
  };
  return {
    types: [MOCK_QUEUE],
    init(queue, index) {
      const quirk = machine.quirk('mock-queue-slot');
      const ret = check(quirk ? slots : documented, index);
      if (quirk && ret !== check(documented, index)) machine.needed('mock-queue-slot');
      if (ret !== 0) return ret;
      const before = (quirk ? slots : documented)[index - 1];
      if (before !== undefined) {
        before.users++;
        previous.set(queue, before);
      }
      slots[index] = queue;
      documented[index] = queue;
      return 0;
    },
    remove(queue) {
      slots[0] = undefined;
      const index = documented.indexOf(queue);
      if (index >= 0) documented[index] = undefined;
      const before = previous.get(queue);
      if (before !== undefined) before.users--;
      previous.delete(queue);
    },
  };
}

/** vIOMMUs of the mock driver. */
export const mockViommus: ViommuBackend = {
  types: [MOCK_VIOMMU],
  create(viommu, data, write) {
    if (data === undefined) return new MockViommu(viommu, undefined);
    const bytes = data.read(DATA_MINIMUM, DATA_BYTES);
    if (typeof bytes === 'number') return bytes;
    const driver = new MockViommu(viommu, viommu.context.mmapRegions.add(2 * PAGE_SIZE));
    const { region } = driver;
    const view = new StructView(bytes);
    view.setU32(4, view.u32(0));
    view.setU64(8, BigInt(region?.offset ?? 0));
    view.setU64(16, BigInt(region?.length ?? 0));
    if (write(bytes.subarray(0, data.length))) return driver;
    driver.destroy();
    return -ERRNO.EFAULT;
  },
};
