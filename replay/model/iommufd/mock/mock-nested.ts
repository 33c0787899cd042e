import type { NestedDomain } from '../backend.ts';
import type { Device } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { entryAt } from '../invalidate-entries.ts';
import type { DriverData, InvalidateRequest } from '../parts.ts';
import { StructView } from '../struct-view.ts';
import type { Viommu } from '../viommu.ts';

/** drivers/iommu/iommufd/iommufd_test.h. */
const MOCK_HWPT_DATA = 0xdead;
export const MOCK_INVALIDATE = 0xdead_beef;
export const CACHE_WORDS = 4;
/** struct iommu_hwpt_invalidate_selftest {flags, iotlb_id}; flag 1: all words. */
const ENTRY_BYTES = 8;

/** What the mock driver keeps of a device. */
export interface MockDevice {
  readonly flags: number;
  /** Words that a vIOMMU's invalidation clears. */
  readonly cache: number[];
  failNext: boolean;
  /** The vIOMMU whose nested domain the RID was attached to last, and the device's id in it then. */
  viommu: Viommu | undefined;
  virtualId: bigint;
}

/** The mock's nested domain: four words that MD_CHECK_IOTLB looks at. */
export class MockNestedDomain implements NestedDomain {
  readonly words: number[];
  readonly viommu: Viommu | undefined;

  constructor(word: number, viommu?: Viommu) {
    this.viommu = viommu;
    this.words = new Array<number>(CACHE_WORDS).fill(word);
  }

  attach(_device: Device, _pasid: number): number {
    return 0;
  }

  /** Entries of {u32 flags, u32 iotlb_id}. */
  invalidate(request: InvalidateRequest): { readonly done: number; readonly ret: number } {
    if (request.type !== MOCK_INVALIDATE) return { done: 0, ret: -ERRNO.EINVAL };
    for (let done = 0; done < request.count; done++) {
      const ret = this.#one(request, done);
      if (ret !== 0) return { done, ret };
    }
    return { done: request.count, ret: 0 };
  }

  #one(request: InvalidateRequest, index: number): number {
    const bytes = entryAt(request, index, ENTRY_BYTES, ENTRY_BYTES);
    if (typeof bytes === 'number') return bytes;
    const view = new StructView(bytes);
    if ((view.u32(0) & ~1) !== 0) return -ERRNO.EOPNOTSUPP;
    const word = view.u32(4);
    if (word >= CACHE_WORDS) return -ERRNO.EINVAL;
    if ((view.u32(0) & 1) !== 0) this.words.fill(0);
    else this.words[word] = 0;
    return 0;
  }
}

/** The word of a nested domain's data {iotlb, pagetable_type}, or a negative errno. */
export function readConfig(data: DriverData): StructView | number {
  if (data.type !== MOCK_HWPT_DATA) return -ERRNO.EOPNOTSUPP;
  const bytes = data.read(4, 8);
  return typeof bytes === 'number' ? bytes : new StructView(bytes);
}

export function mockNested(data: DriverData, viommu?: Viommu): MockNestedDomain | number {
  const config = readConfig(data);
  return typeof config === 'number' ? config : new MockNestedDomain(config.u32(0), viommu);
}
