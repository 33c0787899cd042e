/**
 * Storage of a translation cache: slots in typed arrays, found by page through one chained hash and by domain through one
 * list each, so that lookups, page commands and domain commands all touch only what they name. The policies (`qemu-vtd`,
 * `set-associative`) decide which slots are used; they share this.
 *
 * Pages are two int32 words of a 4 KiB page number, aligned to the entry's own size. `level` 0 is 4 KiB, 1 is 2 MiB, 2 is 1 GiB, and
 * so on to 4 for the upper tables that paging-structure caches hold.
 */
export class CacheEntries {
  readonly capacity: number;
  /** What a lookup must match beside the page: the requester, or the address space. */
  readonly tag: Int32Array;
  /** Domain id and PASID by which commands name the entry; -1: not known. */
  readonly domain: Int32Array;
  readonly pasid: Int32Array;
  readonly level: Uint8Array;
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
  /** Entries by level. */
  readonly levels: Int32Array = new Int32Array(5);
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
    this.level = new Uint8Array(capacity);
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

  #bucket(pageLo: number, pageHi: number, level: number): number {
    const mixed = Math.imul(pageLo ^ Math.imul(pageHi + level, 0x27d4eb2f), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & this.#bucketMask;
  }

  /** Slot of an entry, or -1. The page must be aligned to the level. */
  find(tag: number, level: number, pageLo: number, pageHi: number): number {
    const { tag: tags, pageLo: lows, pageHi: highs, level: levels } = this;
    const next = this.#next;
    for (let slot = this.#heads[this.#bucket(pageLo, pageHi, level)]!; slot >= 0; slot = next[slot]!) {
      if (lows[slot] === pageLo && tags[slot] === tag && highs[slot] === pageHi && levels[slot] === level) return slot;
    }
    return -1;
  }

  /** First entry of a page and level under any tag, or -1; `nextOfPage` gives the rest. */
  firstOfPage(level: number, pageLo: number, pageHi: number): number {
    return this.#ofPage(this.#heads[this.#bucket(pageLo, pageHi, level)]!, level, pageLo, pageHi);
  }

  /** Ask before dropping `slot`. */
  nextOfPage(slot: number): number {
    return this.#ofPage(this.#next[slot]!, this.level[slot]!, this.pageLo[slot]!, this.pageHi[slot]!);
  }

  #ofPage(from: number, level: number, pageLo: number, pageHi: number): number {
    let slot = from;
    while (slot >= 0 && (this.pageLo[slot] !== pageLo || this.pageHi[slot] !== pageHi || this.level[slot] !== level)) {
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
    level: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
  ): void {
    this.tag[slot] = tag;
    this.domain[slot] = domain;
    this.pasid[slot] = pasid;
    this.level[slot] = level;
    this.pageLo[slot] = pageLo;
    this.pageHi[slot] = pageHi;
    this.outLo[slot] = outLo;
    this.outHi[slot] = outHi;
    this.live[slot] = 1;
    this.suspect[slot] = 0;
    this.record[slot] = -1;
    this.levels[level]!++;
    this.count++;
    const bucket = this.#bucket(pageLo, pageHi, level);
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

  /** Takes a slot out of use. */
  unlink(slot: number): void {
    const level = this.level[slot]!;
    const bucket = this.#bucket(this.pageLo[slot]!, this.pageHi[slot]!, level);
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
    this.levels[level]!--;
    this.count--;
  }
}
