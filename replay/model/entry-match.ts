import { ENTRY_KIND } from './cache-entries.ts';
import type { CacheEntries } from './cache-entries.ts';
import { DROP, alignHigh, alignLow } from './iotlb.ts';
import type { Iotlb } from './iotlb.ts';

/** Bit set of all kinds. */
export const EVERY_KIND = 0xff;

/** Domain numbers of Arm and RISC-V hold the guest (VMID, GSCID) in their upper half. */
export const GUEST_MASK = 0xffff_0000 | 0;

/**
 * Which entries a command names, whatever their pages: those of a domain (and PASID) whose kind is in the bit set `kinds`, and
 * those whose domain agrees in the bits of `wideMask` and whose kind is in `wideKinds`. One object is reused for all commands.
 */
export interface EntryMatch {
  domain: number;
  /** -1: whatever their PASID is. An entry whose own PASID is not known matches any. */
  pasid: number;
  kinds: number;
  wideMask: number;
  wideKinds: number;
}

export function entryMatch(): EntryMatch {
  return { domain: -1, pasid: -1, kinds: EVERY_KIND, wideMask: 0, wideKinds: 0 };
}

/** Bit set of kinds. */
export function kindSet(...kinds: readonly (keyof typeof ENTRY_KIND)[]): number {
  return kinds.reduce((set, kind) => set | (1 << ENTRY_KIND[kind]), 0);
}

/** Names all entries of a domain, or of one of its PASIDs. */
export function matchDomain(match: EntryMatch, domain: number, pasid: number): EntryMatch {
  match.domain = domain;
  match.pasid = pasid;
  match.kinds = EVERY_KIND;
  match.wideMask = 0;
  match.wideKinds = 0;
  return match;
}

/** Names entries of a domain by kind, and by another set of kinds those of all domains of the same guest. */
export function matchGuest(match: EntryMatch, domain: number, kinds: number, wideKinds: number): EntryMatch {
  match.domain = domain;
  match.pasid = -1;
  match.kinds = kinds;
  match.wideMask = GUEST_MASK;
  match.wideKinds = wideKinds;
  return match;
}

/** Names entries of every domain by kind, or of one PASID in every domain. */
export function matchKinds(match: EntryMatch, kinds: number, pasid = -1): EntryMatch {
  match.domain = 0;
  match.pasid = pasid;
  match.kinds = 0;
  match.wideMask = 0;
  match.wideKinds = kinds;
  return match;
}

export function matches(match: EntryMatch, entries: CacheEntries, slot: number): boolean {
  const domain = entries.domainOf(slot);
  const kind = 1 << entries.kindOf(slot);
  const named = domain === match.domain && (match.kinds & kind) !== 0;
  if (!named && ((match.wideKinds & kind) === 0 || ((domain ^ match.domain) & match.wideMask) !== 0)) return false;
  if (match.pasid < 0) return true;
  const own = entries.pasidOf(slot);
  return own < 0 || own === match.pasid;
}

/** Drops the entries that `match` names; returns how many. */
export function dropMatching(iotlb: Iotlb, match: EntryMatch, why: number): number {
  const { entries } = iotlb;
  if (entries.count === 0 || ((match.kinds | match.wideKinds) & entries.kinds) === 0) return 0;
  let dropped = 0;
  if ((match.wideKinds & entries.kinds) !== 0) {
    for (let slot = 0; slot < entries.capacity; slot++) {
      if (entries.live[slot] === 0 || !matches(match, entries, slot)) continue;
      iotlb.drop(slot, why);
      dropped++;
    }
    return dropped;
  }
  for (let slot = entries.firstOfDomain(match.domain); slot >= 0; ) {
    const next = entries.nextOfDomain(slot);
    if (matches(match, entries, slot)) {
      iotlb.drop(slot, why);
      dropped++;
    }
    slot = next;
  }
  return dropped;
}

/**
 * Drops entries that `match` names and that overlap 2^order aligned pages. Probes page by page where the range is small, else
 * walks the domain's entries.
 */
export function dropMatchingPages(
  iotlb: Iotlb,
  match: EntryMatch,
  pageLo: number,
  pageHi: number,
  order: number,
  why: number,
): number {
  const { entries } = iotlb;
  const wide = (match.wideKinds & entries.kinds) !== 0;
  const cached = wide ? entries.count : entries.countOfDomain(match.domain);
  if (cached === 0) return 0;
  if (order > 16 || 1 << order > cached) return dropByWalk(iotlb, match, wide, pageLo, pageHi, order, why);
  if (order === 0 && entries.onlyPages) {
    return dropPage(iotlb, match, 0, pageLo, pageHi, why);
  }
  const { orders, countOfOrder } = entries;
  const firstLo = alignLow(pageLo, order);
  let dropped = 0;
  for (let i = 0; i < entries.orderCount; i++) {
    const own = orders[i]!;
    if (countOfOrder[own] === 0) continue;
    const steps = order <= own ? 1 : 1 << (order - own);
    const baseLo = alignLow(firstLo, own);
    const high = alignHigh(pageHi, own);
    for (let step = 0; step < steps; step++) {
      // the range is aligned to its size and at most 2^16 pages, so that the low word never carries
      dropped += dropPage(iotlb, match, own, own >= 32 ? baseLo : baseLo + (step << own), high, why);
    }
  }
  return dropped;
}

/** Drops entries of one size that `match` names, from a page that is aligned to it. */
function dropPage(iotlb: Iotlb, match: EntryMatch, order: number, pageLo: number, pageHi: number, why: number): number {
  const { entries } = iotlb;
  let dropped = 0;
  let slot = entries.firstOfPage(order, pageLo, pageHi);
  while (slot >= 0) {
    const next = entries.nextOfPage(slot);
    if (matches(match, entries, slot)) {
      iotlb.drop(slot, why);
      dropped++;
    }
    slot = next;
  }
  return dropped;
}

/** Drops the entries of a domain that have just this page and order. */
export function dropExact(iotlb: Iotlb, domain: number, order: number, pageLo: number, pageHi: number): number {
  const { entries } = iotlb;
  let dropped = 0;
  for (let slot = entries.firstOfPage(order, pageLo, pageHi); slot >= 0; ) {
    const next = entries.nextOfPage(slot);
    if (entries.domainOf(slot) === domain) {
      iotlb.drop(slot, DROP.command);
      dropped++;
    }
    slot = next;
  }
  return dropped;
}

function dropByWalk(
  iotlb: Iotlb,
  match: EntryMatch,
  wide: boolean,
  pageLo: number,
  pageHi: number,
  order: number,
  why: number,
): number {
  const { entries } = iotlb;
  const inside = (slot: number): boolean => {
    const shift = Math.max(order, entries.orderOf(slot));
    return (
      alignLow(entries.pageLoOf(slot), shift) === alignLow(pageLo, shift) &&
      alignHigh(entries.pageHiOf(slot), shift) === alignHigh(pageHi, shift)
    );
  };
  let dropped = 0;
  if (wide) {
    for (let slot = 0; slot < entries.capacity; slot++) {
      if (entries.live[slot] === 0 || !matches(match, entries, slot) || !inside(slot)) continue;
      iotlb.drop(slot, why);
      dropped++;
    }
    return dropped;
  }
  for (let slot = entries.firstOfDomain(match.domain); slot >= 0; ) {
    const next = entries.nextOfDomain(slot);
    if (matches(match, entries, slot) && inside(slot)) {
      iotlb.drop(slot, why);
      dropped++;
    }
    slot = next;
  }
  return dropped;
}
