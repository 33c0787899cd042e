import { IorrError } from '../../traces/errors.ts';
import type { PageNumber } from '../../traces/units.ts';

/**
 * Ranges of one I/O address space that are handed out, as Linux keeps them in its tree (drivers/iommu/iova.c): each new range is
 * aligned to its size and lies as high as possible below the one that was made last, or below the place that came free last if
 * that is higher.
 */
export class IovaRanges {
  /** First pages of the ranges, descending since new ones mostly lie lowest, and by the same index their last pages. */
  readonly #firsts: PageNumber[] = [];
  readonly #lasts: PageNumber[] = [];
  readonly #top: PageNumber;
  /** First page of the range below which the next search begins; `#top`: from the top. */
  #cached: PageNumber;

  /** `top`: first page above the space, that of 4 GiB for a PCI device whose driver asks for nothing else. */
  constructor(top: PageNumber) {
    this.#top = top;
    this.#cached = top;
  }

  /** First page of a new range. Throws `IorrError` USAGE where the space is full. */
  insert(pages: number): PageNumber {
    const found = this.#search(pages, this.#cached) ?? this.#search(pages, this.#top);
    if (found === undefined) {
      throw new IorrError('USAGE', `no ${pages} pages are left below page ${this.#top} of the I/O address space`, {
        hint: 'fewer or smaller buffers fit',
      });
    }
    const at = this.#below(found);
    this.#firsts.splice(at, 0, found);
    this.#lasts.splice(at, 0, found + pages - 1);
    this.#cached = found;
    return found;
  }

  /** Takes back a range of `insert`. */
  remove(first: PageNumber): void {
    const at = this.#below(first + 1);
    if (this.#firsts[at] !== first) throw new RangeError(`no range begins at page ${first}`);
    this.#firsts.splice(at, 1);
    this.#lasts.splice(at, 1);
    if (first >= this.#cached) this.#cached = this.#firsts[at - 1] ?? this.#top;
  }

  #search(pages: number, below: PageNumber): PageNumber | undefined {
    const align = 2 ** Math.ceil(Math.log2(pages));
    let high = below;
    for (let at = this.#below(below); ; at++) {
      const first = Math.floor((high - pages) / align) * align;
      // page 0 is never handed out
      if (first <= 0) return undefined;
      if (first > (this.#lasts[at] ?? 0)) return first;
      high = this.#firsts[at] ?? 0;
    }
  }

  /** Index of the highest range that begins below a page. */
  #below(page: PageNumber): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#firsts[middle] ?? 0) >= page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
