import { Backing, PAGE_SIZE } from './backing.ts';
import { ERRNO } from './errno.ts';
import { PROT } from './address-space.ts';

/** A part of a driver's memory that user space may map through /dev/iommu. */
export interface MmapRegion {
  readonly offset: number;
  readonly length: number;
  readonly backing: Backing;
}

/** Offsets of a context's mappable regions: the lowest free range from the second page on (iommufd_alloc_mmap). */
export class MmapRegions {
  /** Ascending. */
  readonly #regions: MmapRegion[] = [];

  get size(): number {
    return this.#regions.length;
  }

  /** Whether it is the memory of a region. */
  has(backing: Backing): boolean {
    return this.#regions.some((region) => region.backing === backing);
  }

  add(length: number): MmapRegion {
    let offset = PAGE_SIZE;
    let at = 0;
    for (const region of this.#regions) {
      if (offset + length <= region.offset) break;
      offset = region.offset + region.length;
      at++;
    }
    const backing = new Backing(length);
    // Mapped by frame numbers (VM_PFNMAP): no pages that could be pinned.
    backing.deviceMemory = true;
    const region = { offset, length, backing };
    this.#regions.splice(at, 0, region);
    return region;
  }

  remove(region: MmapRegion): void {
    const at = this.#regions.indexOf(region);
    if (at >= 0) this.#regions.splice(at, 1);
  }

  /** mmap of /dev/iommu: the memory to map whole, or a negative errno (iommufd_fops_mmap). `length` is of whole pages. */
  map(offset: number, length: number, prot: number, shared: boolean): Backing | number {
    if (length % PAGE_SIZE !== 0 || !shared) return -ERRNO.EINVAL;
    if ((prot & PROT.exec) !== 0) return -ERRNO.EPERM;
    const region = this.#regions.find((candidate) => candidate.offset === offset && candidate.length === length);
    return region?.backing ?? -ERRNO.ENXIO;
  }
}
