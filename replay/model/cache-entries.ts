/** Sizes that an entry can have: 2^0 to 2^52 pages. */
const ORDERS = 53;

/** Words of a slot, and where they are: what a search compares first. */
const WORDS = 12;
const PAGE = 0;
/** Bits 51:32 of the page number, and above them the order. */
const HIGH = 1;
const TAG = 2;
const NEXT = 3;
const DOMAIN = 4;
const DOMAIN_NEXT = 5;
const DOMAIN_PREVIOUS = 6;
const RECORD = 7;
const PASID = 8;
const OUT = 9;
const KIND = 11;
const HIGH_MASK = 0xfffff;
const ORDER_SHIFT = 20;

/**
 * What an entry translates, for commands that name one stage or tell global entries from others. `plain`: one stage, and no
 * more is known; `global`: it serves every address space of its guest (Arm, RISC-V); `stage2`: from guest physical addresses;
 * `combined`: both stages in one.
 */
export const ENTRY_KIND = { plain: 0, global: 1, stage2: 2, combined: 3, combinedGlobal: 4 } as const;

/**
 * Storage of a translation cache: slots in one typed array, found by page through one chained hash and by domain through one
 * list each, so that lookups, page commands and domain commands all touch only what they name. The policies (`qemu-vtd`,
 * `set-associative`) decide which slots are used; they share this.
 *
 * Pages are two int32 words of a 4 KiB page number, aligned to the entry's own size. `order` is the size, log2 of its 4 KiB pages:
 * 0 is 4 KiB, 9 is 2 MiB, 18 is 1 GiB; any power of two up to 2^52 pages, also for what paging-structure caches hold.
 */
export class CacheEntries {
  readonly capacity: number;
  readonly live: Uint8Array;
  /** Not 0: the page tables no longer hold (all of) this translation. Kept by the staleness oracle. */
  readonly suspect: Uint8Array;
  /** Entries by order. */
  readonly countOfOrder: Int32Array = new Int32Array(ORDERS);
  /** Orders that were ever used, ascending: the first `orderCount` values. What a lookup has to try. */
  readonly orders: Int32Array = new Int32Array(ORDERS);
  orderCount = 0;
  /** True while every entry ever was 4 KiB. */
  onlyPages = true;
  /** Kinds that were ever used, as a bit set. */
  kinds: number = 1 << ENTRY_KIND.plain;
  count = 0;
  /** `WORDS` of each slot, so that a search touches one cache line for each that it looks at: by the offsets below. */
  readonly #words: Int32Array;
  readonly #bucketMask: number;
  readonly #heads: Int32Array;
  /** First slot by the low 16 bits of the domain id, and how many there are. */
  readonly #domainHeads: Int32Array;
  readonly #domainCounts: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.live = new Uint8Array(capacity);
    this.suspect = new Uint8Array(capacity);
    this.#words = new Int32Array(capacity * WORDS);
    let buckets = 16;
    while (buckets < capacity * 2) buckets *= 2;
    this.#bucketMask = buckets - 1;
    this.#heads = new Int32Array(buckets).fill(-1);
    this.#domainHeads = new Int32Array(0x10000).fill(-1);
    this.#domainCounts = new Int32Array(0x10000);
  }

  /** What a lookup must match beside the page: the requester, or the address space. */
  tagOf(slot: number): number {
    return this.#words[slot * WORDS + TAG]!;
  }

  /** Domain id and PASID by which commands name the entry; -1: not known. */
  domainOf(slot: number): number {
    return this.#words[slot * WORDS + DOMAIN]!;
  }

  pasidOf(slot: number): number {
    return this.#words[slot * WORDS + PASID]!;
  }

  pageLoOf(slot: number): number {
    return this.#words[slot * WORDS + PAGE]!;
  }

  pageHiOf(slot: number): number {
    return this.#words[slot * WORDS + HIGH]! & HIGH_MASK;
  }

  orderOf(slot: number): number {
    return this.#words[slot * WORDS + HIGH]! >>> ORDER_SHIFT;
  }

  /** `ENTRY_KIND` value. */
  kindOf(slot: number): number {
    return this.#words[slot * WORDS + KIND]!;
  }

  /** Page that the first page of the entry translates to. */
  outLoOf(slot: number): number {
    return this.#words[slot * WORDS + OUT]!;
  }

  outHiOf(slot: number): number {
    return this.#words[slot * WORDS + OUT + 1]!;
  }

  /** Slot's record in the miss history; -1: none. */
  recordOf(slot: number): number {
    return this.#words[slot * WORDS + RECORD]!;
  }

  setRecord(slot: number, record: number): void {
    this.#words[slot * WORDS + RECORD] = record;
  }

  #bucket(pageLo: number, high: number): number {
    const mixed = Math.imul(pageLo ^ Math.imul(high, 0x27d4eb2f), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & this.#bucketMask;
  }

  /** Slot of an entry, or -1. The page must be aligned to the order. */
  find(tag: number, order: number, pageLo: number, pageHi: number): number {
    const words = this.#words;
    const high = pageHi | (order << ORDER_SHIFT);
    let slot = this.#heads[this.#bucket(pageLo, high)]!;
    while (slot >= 0) {
      const at = slot * WORDS;
      if (words[at] === pageLo && words[at + TAG] === tag && words[at + HIGH] === high) return slot;
      slot = words[at + NEXT]!;
    }
    return -1;
  }

  /** First entry of a page and order under any tag, or -1; `nextOfPage` gives the rest. */
  firstOfPage(order: number, pageLo: number, pageHi: number): number {
    const high = pageHi | (order << ORDER_SHIFT);
    return this.#ofPage(this.#heads[this.#bucket(pageLo, high)]!, pageLo, high);
  }

  /** Ask before dropping `slot`. */
  nextOfPage(slot: number): number {
    const words = this.#words;
    const at = slot * WORDS;
    return this.#ofPage(words[at + NEXT]!, words[at + PAGE]!, words[at + HIGH]!);
  }

  #ofPage(from: number, pageLo: number, high: number): number {
    const words = this.#words;
    let slot = from;
    while (slot >= 0 && (words[slot * WORDS] !== pageLo || words[slot * WORDS + HIGH] !== high)) {
      slot = words[slot * WORDS + NEXT]!;
    }
    return slot;
  }

  /** First slot of a domain, or -1. Other domains with the same low 16 bits share the list: compare `domainOf`. */
  firstOfDomain(domain: number): number {
    return this.#domainHeads[domain & 0xffff]!;
  }

  /** Ask before dropping `slot`. */
  nextOfDomain(slot: number): number {
    return this.#words[slot * WORDS + DOMAIN_NEXT]!;
  }

  /** Entries in the list of `firstOfDomain`. */
  countOfDomain(domain: number): number {
    return this.#domainCounts[domain & 0xffff]!;
  }

  /** Puts a free slot to use, as an entry of kind `plain`. */
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
    const words = this.#words;
    const at = slot * WORDS;
    const high = pageHi | (order << ORDER_SHIFT);
    const bucket = this.#bucket(pageLo, high);
    const list = domain & 0xffff;
    const first = this.#domainHeads[list]!;
    words[at + PAGE] = pageLo;
    words[at + HIGH] = high;
    words[at + TAG] = tag;
    words[at + NEXT] = this.#heads[bucket]!;
    words[at + DOMAIN] = domain;
    words[at + DOMAIN_NEXT] = first;
    words[at + DOMAIN_PREVIOUS] = -1;
    words[at + RECORD] = -1;
    words[at + PASID] = pasid;
    words[at + OUT] = outLo;
    words[at + OUT + 1] = outHi;
    words[at + KIND] = ENTRY_KIND.plain;
    this.#heads[bucket] = slot;
    if (first >= 0) words[first * WORDS + DOMAIN_PREVIOUS] = slot;
    this.#domainHeads[list] = slot;
    this.#domainCounts[list]!++;
    this.live[slot] = 1;
    this.suspect[slot] = 0;
    if (this.countOfOrder[order]!++ === 0) this.#used(order);
    this.count++;
  }

  /** Makes an entry one of another kind than `plain`. */
  setKind(slot: number, kind: number): void {
    this.kinds |= 1 << kind;
    this.#words[slot * WORDS + KIND] = kind;
  }

  /** Takes a slot out of use. */
  unlink(slot: number): void {
    const words = this.#words;
    const at = slot * WORDS;
    const high = words[at + HIGH]!;
    const bucket = this.#bucket(words[at + PAGE]!, high);
    const next = words[at + NEXT]!;
    let before = this.#heads[bucket]!;
    if (before === slot) this.#heads[bucket] = next;
    else {
      while (words[before * WORDS + NEXT] !== slot) before = words[before * WORDS + NEXT]!;
      words[before * WORDS + NEXT] = next;
    }
    const list = words[at + DOMAIN]! & 0xffff;
    const after = words[at + DOMAIN_NEXT]!;
    const previous = words[at + DOMAIN_PREVIOUS]!;
    if (previous >= 0) words[previous * WORDS + DOMAIN_NEXT] = after;
    else this.#domainHeads[list] = after;
    if (after >= 0) words[after * WORDS + DOMAIN_PREVIOUS] = previous;
    this.#domainCounts[list]!--;
    this.live[slot] = 0;
    this.countOfOrder[high >>> ORDER_SHIFT]!--;
    this.count--;
  }

  /** An order has its first entry. */
  #used(order: number): void {
    const { orders } = this;
    let at = 0;
    while (at < this.orderCount && orders[at]! < order) at++;
    if (at < this.orderCount && orders[at] === order) return;
    if (order !== 0) this.onlyPages = false;
    orders.copyWithin(at + 1, at, this.orderCount);
    orders[at] = order;
    this.orderCount++;
  }
}
