/** Large pages remembered at most. */
const MOST = 65536;

/**
 * Sizes of the pages that translations inserted, for hits, whose lines don't name them. The smallest size of a domain needs no
 * memory; larger pages are few.
 */
export class SmmuPageSizes {
  /** By domain: log2 of the bytes of its granule. */
  readonly #granule = new Map<number, number>();
  /** By domain, then by log2 of the size: numbers of the large pages. */
  readonly #large = new Map<number, Map<number, Set<number>>>();
  #count = 0;

  inserted(domain: number, lo: number, hi: number, granule: number, shift: number): void {
    if (this.#granule.get(domain) !== granule) this.#granule.set(domain, granule);
    if (shift <= granule) {
      if (this.#count > 0) this.#forget(domain, lo, hi);
      return;
    }
    let sizes = this.#large.get(domain);
    if (sizes === undefined) {
      sizes = new Map();
      this.#large.set(domain, sizes);
    }
    let pages = sizes.get(shift);
    if (pages === undefined) {
      pages = new Set();
      sizes.set(shift, pages);
    }
    if (this.#count >= MOST) {
      this.#large.clear();
      this.#count = 0;
      return;
    }
    const before = pages.size;
    pages.add(pageOf(lo, hi, shift));
    this.#count += pages.size - before;
  }

  /** log2 of the bytes of the page that holds this address, by the newest insertion that says; 12 if none does. */
  sizeAt(domain: number, lo: number, hi: number): number {
    for (const [shift, pages] of this.#large.get(domain) ?? []) {
      if (pages.has(pageOf(lo, hi, shift))) return shift;
    }
    return this.#granule.get(domain) ?? 12;
  }

  /** A smaller page was inserted within: the large one is no more. */
  #forget(domain: number, lo: number, hi: number): void {
    for (const [shift, pages] of this.#large.get(domain) ?? []) {
      if (pages.delete(pageOf(lo, hi, shift))) this.#count--;
    }
  }
}

function pageOf(lo: number, hi: number, shift: number): number {
  return Math.floor(((hi >>> 0) * 0x100000000 + (lo >>> 0)) / 2 ** shift);
}
