import { CacheEntries } from './cache-entries.ts';
import { dropMatching, dropMatchingPages, matches } from './entry-match.ts';
import type { EntryMatch } from './entry-match.ts';
import { DROP, alignHigh, alignLow, dropAll } from './iotlb.ts';
import type { DropListener, Iotlb } from './iotlb.ts';

/** How the caches of QEMU's emulated IOMMUs differ. */
export interface QemuRules {
  readonly capacity: number;
  /** Width at which page commands compare page numbers; 52 is all of it, VT-d of QEMU 7.2 compares 8. */
  readonly maskBits: number;
  /** A lookup tries the largest size first (hw/arm/smmu-common.c) and not the smallest (hw/i386/intel_iommu.c). */
  readonly largestFirst: boolean;
}

/**
 * The translation cache of QEMU's emulated IOMMUs, as their logs show it: a hash that is emptied whole when an insertion finds
 * it full, and never ages.
 */
export class QemuIotlb implements Iotlb {
  readonly entries: CacheEntries;
  wasReset = false;
  readonly #rules: QemuRules;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #onDrop: DropListener;

  constructor(rules: QemuRules, onDrop: DropListener) {
    const { capacity } = rules;
    this.#rules = rules;
    this.entries = new CacheEntries(capacity);
    this.#free = new Int32Array(capacity);
    this.#freeCount = capacity;
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#onDrop = onDrop;
  }

  lookup(tag: number, pageLo: number, pageHi: number): number {
    const { entries } = this;
    if (entries.onlyPages) return entries.find(tag, 0, pageLo, pageHi);
    const { orders, countOfOrder, orderCount } = entries;
    const last = orderCount - 1;
    const { largestFirst } = this.#rules;
    for (let i = 0; i <= last; i++) {
      const order = orders[largestFirst ? last - i : i]!;
      if (countOfOrder[order] === 0) continue;
      const slot =
        order === 0
          ? entries.find(tag, 0, pageLo, pageHi)
          : entries.find(tag, order, alignLow(pageLo, order), alignHigh(pageHi, order));
      if (slot >= 0) return slot;
    }
    return -1;
  }

  insert(
    tag: number,
    domain: number,
    pasid: number,
    order: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
  ): number {
    this.wasReset = this.#freeCount === 0;
    if (this.wasReset) this.dropAll(DROP.overflow);
    const slot = this.#free[--this.#freeCount]!;
    const low = alignLow(pageLo, order);
    this.entries.link(slot, tag, domain, pasid, order, low, alignHigh(pageHi, order), outLo, outHi);
    return slot;
  }

  drop(slot: number, why: number): void {
    this.#onDrop(slot, why);
    this.entries.unlink(slot);
    this.#free[this.#freeCount++] = slot;
  }

  dropAll(why: number): number {
    return dropAll(this, why);
  }

  dropMatching(match: EntryMatch, why: number): number {
    return dropMatching(this, match, why);
  }

  dropPages(match: EntryMatch, pageLo: number, pageHi: number, order: number, why: number): number {
    const { maskBits } = this.#rules;
    if (maskBits >= 52) return dropMatchingPages(this, match, pageLo, pageHi, order, why);
    // the mask cuts the page numbers that are compared: entries elsewhere with the same low bits go too
    const { entries } = this;
    const mask = alignLow((1 << maskBits) - 1, order);
    let dropped = 0;
    for (let slot = entries.firstOfDomain(match.domain); slot >= 0; ) {
      const next = entries.nextOfDomain(slot);
      if (matches(match, entries, slot)) {
        const low = entries.pageLoOf(slot);
        const own = low === alignLow(pageLo, entries.orderOf(slot)) && entries.pageHiOf(slot) === pageHi;
        if (own || ((low ^ pageLo) & mask) === 0) {
          this.drop(slot, why);
          dropped++;
        }
      }
      slot = next;
    }
    return dropped;
  }
}
