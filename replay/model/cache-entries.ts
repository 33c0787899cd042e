/** Sizes that an entry can have: 2^0 to 2^52 pages. */
const ORDERS = 53;

/**
 * What an entry translates, for commands that name one stage or tell global entries from others. `plain`: one stage, and no
 * more is known; `global`: it serves every address space of its guest (Arm, RISC-V); `stage2`: from guest physical addresses;
 * `combined`: both stages in one.
 */
export const ENTRY_KIND = { plain: 0, global: 1, stage2: 2, combined: 3, combinedGlobal: 4 } as const;

/**
 * Storage of a translation cache: slots in typed arrays, found by page through one chained hash and by domain through one
 * list each, so that lookups, page commands and domain commands all touch only what they name. The policies (`qemu-vtd`,
 * `set-associative`) decide which slots are used; they share this.
 *
 * Pages are two int32 words of a 4 KiB page number, aligned to the entry's own size. `order` is the size, log2 of its 4 KiB pages:
 * 0 is 4 KiB, 9 is 2 MiB, 18 is 1 GiB; any power of two up to 2^52 pages, also for what paging-structure caches hold.
 */
export class CacheEntries {
  readonly capacity: number;
  /** What a lookup must match beside the page: the requester, or the address space. */
  readonly tag: Int32Array;
  /** Domain id and PASID by which commands name the entry; -1: not known. */
  readonly domain: Int32Array;
  readonly pasid: Int32Array;
  readonly order: Uint8Array;
  /** `ENTRY_KIND` value. */
  readonly kind: Uint8Array;
  readonly pageLo: Int32Array;
  readonly pageHi: Int32Array;
  /** Page that the first page of the entry translates to. */
  readonly outLo: Int32Array;
  readonly outHi: Int32Array;
  readonly live: Uint8Array;
  /** Not 0: the page tables no longer hold (all of) this translation. Kept by the staleness oracle. */
  readonly suspect: Uint8Array;
  /** Slot's record in the miss history. */
  readonly record: Int32Array;
  /** Entries by order. */
  readonly countOfOrder: Int32Array = new Int32Array(ORDERS);
  /** Orders that were ever used, ascending: the first `orderCount` values. What a lookup has to try. */
  readonly orders: Int32Array = new Int32Array(ORDERS);
  orderCount = 0;
  /** Kinds that were ever used, as a bit set. */
  kinds: number = 1 << ENTRY_KIND.plain;
  count = 0;
  readonly #bucketMask: number;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  /** First slot by the low 16 bits of the domain id, and the doubly linked rest. */
  readonly #domainHeads: Int32Array;
  readonly #domainNext: Int32Array;
  readonly #domainPrevious: Int32Array;
  readonly #domainCounts: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.tag = new Int32Array(capacity);
    this.domain = new Int32Array(capacity);
    this.pasid = new Int32Array(capacity);
    this.order = new Uint8Array(capacity);
    this.kind = new Uint8Array(capacity);
    this.pageLo = new Int32Array(capacity);
    this.pageHi = new Int32Array(capacity);
    this.outLo = new Int32Array(capacity);
    this.outHi = new Int32Array(capacity);
    this.live = new Uint8Array(capacity);
    this.suspect = new Uint8Array(capacity);
    this.record = new Int32Array(capacity);
    let buckets = 16;
    while (buckets < capacity * 2) buckets *= 2;
    this.#bucketMask = buckets - 1;
    this.#heads = new Int32Array(buckets).fill(-1);
    this.#next = new Int32Array(capacity);
    this.#domainHeads = new Int32Array(0x10000).fill(-1);
    this.#domainNext = new Int32Array(capacity);
    this.#domainPrevious = new Int32Array(capacity);
    this.#domainCounts = new Int32Array(0x10000);
  }

  #bucket(pageLo: number, pageHi: number, order: number): number {
    const mixed = Math.imul(pageLo ^ Math.imul(pageHi + order, 0x27d4eb2f), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & this.#bucketMask;
  }

  /** Slot of an entry, or -1. The page must be aligned to the order. */
  find(tag: number, order: number, pageLo: number, pageHi: number): number {
    const { tag: tags, pageLo: lows, pageHi: highs, order: orders } = this;
    const next = this.#next;
    for (let slot = this.#heads[this.#bucket(pageLo, pageHi, order)]!; slot >= 0; slot = next[slot]!) {
      if (lows[slot] === pageLo && tags[slot] === tag && highs[slot] === pageHi && orders[slot] === order) return slot;
    }
    return -1;
  }

  /** First entry of a page and order under any tag, or -1; `nextOfPage` gives the rest. */
  firstOfPage(order: number, pageLo: number, pageHi: number): number {
    return this.#ofPage(this.#heads[this.#bucket(pageLo, pageHi, order)]!, order, pageLo, pageHi);
  }

  /** Ask before dropping `slot`. */
  nextOfPage(slot: number): number {
    return this.#ofPage(this.#next[slot]!, this.order[slot]!, this.pageLo[slot]!, this.pageHi[slot]!);
  }

  #ofPage(from: number, order: number, pageLo: number, pageHi: number): number {
    let slot = from;
    while (slot >= 0 && (this.pageLo[slot] !== pageLo || this.pageHi[slot] !== pageHi || this.order[slot] !== order)) {
      slot = this.#next[slot]!;
    }
    return slot;
  }

  /** First slot of a domain, or -1. Other domains with the same low 16 bits share the list: compare `domain`. */
  firstOfDomain(domain: number): number {
    return this.#domainHeads[domain & 0xffff]!;
  }

  /** Ask before dropping `slot`. */
  nextOfDomain(slot: number): number {
    return this.#domainNext[slot]!;
  }

  /** Entries in the list of `firstOfDomain`. */
  countOfDomain(domain: number): number {
    return this.#domainCounts[domain & 0xffff]!;
  }

  /** Puts a free slot to use. */
  link(
    slot: number,
    tag: number,
    domain: number,
    pasid: number,
    order: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
  ): void {
    this.tag[slot] = tag;
    this.domain[slot] = domain;
    this.pasid[slot] = pasid;
    this.order[slot] = order;
    this.kind[slot] = ENTRY_KIND.plain;
    this.pageLo[slot] = pageLo;
    this.pageHi[slot] = pageHi;
    this.outLo[slot] = outLo;
    this.outHi[slot] = outHi;
    this.live[slot] = 1;
    this.suspect[slot] = 0;
    this.record[slot] = -1;
    if (this.countOfOrder[order]!++ === 0) this.#used(order);
    this.count++;
    const bucket = this.#bucket(pageLo, pageHi, order);
    this.#next[slot] = this.#heads[bucket]!;
    this.#heads[bucket] = slot;
    const list = domain & 0xffff;
    const first = this.#domainHeads[list]!;
    this.#domainNext[slot] = first;
    this.#domainPrevious[slot] = -1;
    if (first >= 0) this.#domainPrevious[first] = slot;
    this.#domainHeads[list] = slot;
    this.#domainCounts[list]!++;
  }

  /** Makes an entry one of another kind than `plain`. */
  setKind(slot: number, kind: number): void {
    this.kinds |= 1 << kind;
    this.kind[slot] = kind;
  }

  /** Takes a slot out of use. */
  unlink(slot: number): void {
    const order = this.order[slot]!;
    const bucket = this.#bucket(this.pageLo[slot]!, this.pageHi[slot]!, order);
    const next = this.#next;
    let at = this.#heads[bucket]!;
    if (at === slot) this.#heads[bucket] = next[slot]!;
    else {
      while (next[at] !== slot) at = next[at]!;
      next[at] = next[slot]!;
    }
    const list = this.domain[slot]! & 0xffff;
    const after = this.#domainNext[slot]!;
    const before = this.#domainPrevious[slot]!;
    if (before >= 0) this.#domainNext[before] = after;
    else this.#domainHeads[list] = after;
    if (after >= 0) this.#domainPrevious[after] = before;
    this.#domainCounts[list]!--;
    this.live[slot] = 0;
    this.countOfOrder[order]!--;
    this.count--;
  }

  /** An order has its first entry. */
  #used(order: number): void {
    const { orders } = this;
    let at = 0;
    while (at < this.orderCount && orders[at]! < order) at++;
    if (at < this.orderCount && orders[at] === order) return;
    orders.copyWithin(at + 1, at, this.orderCount);
    orders[at] = order;
    this.orderCount++;
  }
}
