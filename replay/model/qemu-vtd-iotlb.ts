import { CacheEntries } from './cache-entries.ts';
import { DROP, alignLow, dropDomain, dropPages, named } from './iotlb.ts';
import type { DropListener, Iotlb } from './iotlb.ts';

/**
 * The IOTLB of QEMU's emulated VT-d (hw/i386/intel_iommu.c), as its logs show it: a hash that is emptied whole when an
 * insertion finds it full, and never ages. Tags are requesters; a lookup tries 4 KiB, 2 MiB, then 1 GiB.
 */
export class QemuVtdIotlb implements Iotlb {
  readonly entries: CacheEntries;
  wasReset = false;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #maskBits: number;
  readonly #onDrop: DropListener;

  /** `maskBits`: width at which page commands compare page numbers; 52 is all of it, QEMU 7.2 compares 8. */
  constructor(capacity: number, maskBits: number, onDrop: DropListener) {
    this.entries = new CacheEntries(capacity);
    this.#free = new Int32Array(capacity);
    this.#freeCount = capacity;
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#maskBits = maskBits;
    this.#onDrop = onDrop;
  }

  lookup(tag: number, pageLo: number, pageHi: number): number {
    const { entries } = this;
    const { levels } = entries;
    if (levels[0] !== 0) {
      const slot = entries.find(tag, 0, pageLo, pageHi);
      if (slot >= 0) return slot;
    }
    if (levels[1] !== 0) {
      const slot = entries.find(tag, 1, pageLo & -0x200, pageHi);
      if (slot >= 0) return slot;
    }
    return levels[2] === 0 ? -1 : entries.find(tag, 2, pageLo & -0x40000, pageHi);
  }

  insert(
    tag: number,
    domain: number,
    pasid: number,
    level: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
  ): number {
    this.wasReset = this.#freeCount === 0;
    if (this.wasReset) this.dropAll(DROP.overflow);
    const slot = this.#free[--this.#freeCount]!;
    this.entries.link(slot, tag, domain, pasid, level, alignLow(pageLo, 9 * level), pageHi, outLo, outHi);
    return slot;
  }

  drop(slot: number, why: number): void {
    this.#onDrop(slot, why);
    this.entries.unlink(slot);
    this.#free[this.#freeCount++] = slot;
  }

  dropAll(why: number): number {
    const { entries } = this;
    const dropped = entries.count;
    if (dropped > 0) {
      for (let slot = 0; slot < entries.capacity; slot++) if (entries.live[slot] !== 0) this.drop(slot, why);
    }
    return dropped;
  }

  dropPages(domain: number, pasid: number, pageLo: number, pageHi: number, order: number, why: number): number {
    if (this.#maskBits >= 52) return dropPages(this, domain, pasid, pageLo, pageHi, order, why);
    // the mask cuts the page numbers that are compared: entries elsewhere with the same low bits go too
    const { entries } = this;
    const mask = alignLow((1 << this.#maskBits) - 1, order);
    let dropped = 0;
    for (let slot = entries.firstOfDomain(domain); slot >= 0; ) {
      const next = entries.nextOfDomain(slot);
      if (named(entries, slot, domain, pasid)) {
        const low = entries.pageLo[slot]!;
        const own = low === alignLow(pageLo, 9 * entries.level[slot]!) && entries.pageHi[slot] === pageHi;
        if (own || ((low ^ pageLo) & mask) === 0) {
          this.drop(slot, why);
          dropped++;
        }
      }
      slot = next;
    }
    return dropped;
  }

  dropDomain(domain: number, pasid: number, why: number): number {
    return dropDomain(this, domain, pasid, why);
  }
}
