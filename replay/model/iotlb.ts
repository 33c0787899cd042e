import type { CacheEntries } from './cache-entries.ts';

/**
 * A translation cache: an organisation and replacement over `CacheEntries`. One file per member; the machine is given one.
 * Nothing in it knows of commands, page tables or time: what is dropped is told to `onDrop`, before the slot is reused.
 */
export interface Iotlb {
  readonly entries: CacheEntries;
  /** Slot of the translation of a page under a tag, or -1. A hit may change the replacement order. */
  lookup(tag: number, pageLo: number, pageHi: number): number;
  /**
   * Caches a translation that `lookup` did not find; returns its slot. The page is any page of the entry; the output is that
   * of the entry's first page. `wasReset` tells whether everything had to go for it.
   */
  insert(
    tag: number,
    domain: number,
    pasid: number,
    level: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
  ): number;
  readonly wasReset: boolean;
  /** Drops one entry. `why` is a `DROP` value. */
  drop(slot: number, why: number): void;
  dropAll(why: number): number;
  /**
   * Drops the entries of a domain that a page-selective command names: 2^`order` pages from a page that is aligned down to
   * that size. `pasid` -1: whatever their PASID is. Returns how many went.
   */
  dropPages(domain: number, pasid: number, pageLo: number, pageHi: number, order: number, why: number): number;
  dropDomain(domain: number, pasid: number, why: number): number;
}

/** Why an entry went. */
export const DROP = { command: 0, replacement: 1, overflow: 2, reset: 3 } as const;

/** Told of each entry that goes, while its slot still holds it. */
export type DropListener = (slot: number, why: number) => void;

/** True for an entry that a command for (domain, pasid) names. An entry whose PASID is not known matches any. */
export function named(entries: CacheEntries, slot: number, domain: number, pasid: number): boolean {
  if (entries.domain[slot] !== domain) return false;
  if (pasid < 0) return true;
  const own = entries.pasid[slot]!;
  return own < 0 || own === pasid;
}

/** Low word of a page number aligned to 2^order pages. */
export function alignLow(pageLo: number, order: number): number {
  return order >= 32 ? 0 : pageLo & (-1 << order);
}

/** High word of a page number aligned to 2^order pages. */
export function alignHigh(pageHi: number, order: number): number {
  return order <= 32 ? pageHi : order >= 64 ? 0 : pageHi & (-1 << (order - 32));
}

export function dropDomain(iotlb: Iotlb, domain: number, pasid: number, why: number): number {
  const { entries } = iotlb;
  let dropped = 0;
  for (let slot = entries.firstOfDomain(domain); slot >= 0; ) {
    const next = entries.nextOfDomain(slot);
    if (named(entries, slot, domain, pasid)) {
      iotlb.drop(slot, why);
      dropped++;
    }
    slot = next;
  }
  return dropped;
}

/**
 * Drops entries of a domain that overlap 2^order aligned pages. Probes page by page where the range is small, else walks the
 * domain's entries.
 */
export function dropPages(
  iotlb: Iotlb,
  domain: number,
  pasid: number,
  pageLo: number,
  pageHi: number,
  order: number,
  why: number,
): number {
  const { entries } = iotlb;
  const cached = entries.countOfDomain(domain);
  if (cached === 0) return 0;
  const firstLo = alignLow(pageLo, order);
  const firstHi = alignHigh(pageHi, order);
  let dropped = 0;
  if (order > 16 || 1 << order > cached) {
    for (let slot = entries.firstOfDomain(domain); slot >= 0; ) {
      const next = entries.nextOfDomain(slot);
      const shift = Math.max(order, 9 * entries.level[slot]!);
      if (
        named(entries, slot, domain, pasid) &&
        alignLow(entries.pageLo[slot]!, shift) === alignLow(firstLo, shift) &&
        alignHigh(entries.pageHi[slot]!, shift) === alignHigh(firstHi, shift)
      ) {
        iotlb.drop(slot, why);
        dropped++;
      }
      slot = next;
    }
    return dropped;
  }
  for (let level = 0; level < 5; level++) {
    if (entries.levels[level] === 0) continue;
    const shift = 9 * level;
    const steps = order <= shift ? 1 : 1 << (order - shift);
    const baseLo = alignLow(firstLo, shift);
    for (let i = 0; i < steps; i++) {
      // the range is aligned to its size and at most 2^16 pages, so that the low word never carries
      let slot = entries.firstOfPage(level, baseLo + (i << shift), firstHi);
      while (slot >= 0) {
        const next = entries.nextOfPage(slot);
        if (named(entries, slot, domain, pasid)) {
          iotlb.drop(slot, why);
          dropped++;
        }
        slot = next;
      }
    }
  }
  return dropped;
}
