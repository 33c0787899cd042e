import type { PageNumber } from '../../traces/units.ts';
import { floorLog2, trailingZeros } from './page-words.ts';

/**
 * The pieces in which the IOMMU core hands a mapping to a driver: as many pages of the largest fitting size as there are before
 * a larger one fits (drivers/iommu/iommu.c, iommu_pgsize).
 */
export class PageSizes {
  /** log2 of the sizes in 4 KiB pages, ascending. */
  readonly #orders: readonly number[];
  /** Of the newest piece: log2 of its page size in 4 KiB pages, and its pages of 4 KiB. */
  order = 0;
  pages = 0;

  constructor(orders: readonly number[]) {
    this.#orders = orders;
  }

  /**
   * Finds the piece that begins at `page`. `offset` is the physical page minus the page (0 to unmap), `left` the 4 KiB pages
   * from here to the end. A size smaller than the smallest page gives a piece of what is left.
   */
  next(page: PageNumber, offset: number, left: number): void {
    const aligned = Math.min(trailingZeros(page), trailingZeros(page + offset), floorLog2(left));
    let at = 0;
    while (at + 1 < this.#orders.length && (this.#orders[at + 1] ?? 0) <= aligned) at++;
    this.order = this.#orders[at] ?? 0;
    const larger = this.#orders[at + 1];
    let pages = left;
    if (larger !== undefined && offset % 2 ** larger === 0) {
      const size = 2 ** larger;
      // a larger page fits behind the next boundary: only up to there
      const to = size - (page % size);
      if (to + size <= left) pages = to;
    }
    const unit = 2 ** this.order;
    this.pages = pages < unit ? left : pages - (pages % unit);
  }
}

/** All powers of two from 4 KiB on, as log2 of 4 KiB pages. */
export const EVERY_SIZE: readonly number[] = Array.from({ length: 52 }, (_, order) => order);
