import type { PageNumber } from '../../traces/units.ts';

/** Mappings of an address space, in order of their first page, none over another. */
export class MappingList {
  readonly #firsts: PageNumber[] = [];
  readonly #lasts: PageNumber[] = [];

  add(first: PageNumber, last: PageNumber): void {
    const at = this.#from(first);
    this.#firsts.splice(at, 0, first);
    this.#lasts.splice(at, 0, last);
  }

  /**
   * Takes away the mappings that begin in a range, and gives the pages that they had together; one that reaches in from before
   * keeps all of them (drivers/iommu/virtio-iommu.c, viommu_del_mappings).
   */
  remove(first: PageNumber, last: PageNumber): number {
    const from = this.#from(first);
    if (from > 0 && (this.#lasts[from - 1] ?? -1) >= first) return 0;
    let to = from;
    let pages = 0;
    while (to < this.#firsts.length && (this.#firsts[to] ?? 0) <= last) {
      pages += (this.#lasts[to] ?? 0) - (this.#firsts[to] ?? 0) + 1;
      to++;
    }
    this.#firsts.splice(from, to - from);
    this.#lasts.splice(from, to - from);
    return pages;
  }

  /** Index of the first mapping that begins at `page` or behind. */
  #from(page: PageNumber): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#firsts[middle] ?? 0) < page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
