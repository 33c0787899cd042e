import type { CacheEntries } from './cache-entries.ts';
import type { EntryMatch } from './entry-match.ts';

/**
 * A translation cache: an organisation and replacement over `CacheEntries`. One file per member; the machine is given one.
 * Nothing in it knows of commands, page tables or time: what is dropped is told to `onDrop`, before the slot is reused.
 */
export interface Iotlb {
  readonly entries: CacheEntries;
  /** Slot of the translation of a page under a tag, or -1. A hit may change the replacement order. */
  lookup(tag: number, pageLo: number, pageHi: number): number;
  /**
   * Caches a translation that `lookup` did not find; returns its slot, -1 where there is no room for any of its size. The page
   * is any page of the entry of 2^`order` pages; the output is that of the entry's first page. `wasReset` tells whether
   * everything had to go for it.
   */
  insert(
    tag: number,
    domain: number,
    pasid: number,
    order: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
  ): number;
  readonly wasReset: boolean;
  /** Drops one entry. `why` is a `DROP` value. */
  drop(slot: number, why: number): void;
  dropAll(why: number): number;
  /** Drops the entries that a command names; returns how many went. */
  dropMatching(match: EntryMatch, why: number): number;
  /** The same of 2^`order` pages, from a page that is aligned down to that size. */
  dropPages(match: EntryMatch, pageLo: number, pageHi: number, order: number, why: number): number;
}

/** Why an entry went. */
export const DROP = { command: 0, replacement: 1, overflow: 2, reset: 3 } as const;

/** Told of each entry that goes, while its slot still holds it. */
export type DropListener = (slot: number, why: number) => void;

/** Low word of a page number aligned to 2^order pages. */
export function alignLow(pageLo: number, order: number): number {
  return order >= 32 ? 0 : pageLo & (-1 << order);
}

/** High word of a page number aligned to 2^order pages. */
export function alignHigh(pageHi: number, order: number): number {
  return order <= 32 ? pageHi : order >= 64 ? 0 : pageHi & (-1 << (order - 32));
}

/** Drops every entry. */
export function dropAll(iotlb: Iotlb, why: number): number {
  const { entries } = iotlb;
  const dropped = entries.count;
  if (dropped > 0) {
    for (let slot = 0; slot < entries.capacity; slot++) if (entries.live[slot] !== 0) iotlb.drop(slot, why);
  }
  return dropped;
}
