import { CacheEntries } from './cache-entries.ts';
import { DROP, alignHigh, alignLow, dropDomain, dropPages } from './iotlb.ts';
import type { DropListener, Iotlb } from './iotlb.ts';

/** Geometry of a set-associative cache. */
export interface Geometry {
  readonly sets: number;
  readonly ways: number;
  /** Sets are picked by a hash of page and tag instead of the low bits of the page number. */
  readonly hashed: boolean;
  /** A set refills ways that an invalidation emptied before it replaces a live one. */
  readonly refillInvalidFirst: boolean;
}

/**
 * Sets times ways, least recently used replaced first. Pages of all sizes share the sets, each indexed by its own page
 * number. One set makes it fully associative: every operation is constant time for any number of ways.
 */
export class SetAssociativeIotlb implements Iotlb {
  readonly entries: CacheEntries;
  readonly wasReset = false;
  readonly #geometry: Geometry;
  readonly #onDrop: DropListener;
  /** Slots of set s are s * ways and up. Per set a ring of slots from most to least recently used. */
  readonly #newest: Int32Array;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;

  constructor(geometry: Geometry, onDrop: DropListener) {
    const { sets, ways } = geometry;
    this.#geometry = geometry;
    this.#onDrop = onDrop;
    this.entries = new CacheEntries(sets * ways);
    this.#newest = new Int32Array(sets);
    this.#older = new Int32Array(sets * ways);
    this.#newer = new Int32Array(sets * ways);
    for (let set = 0; set < sets; set++) {
      const base = set * ways;
      this.#newest[set] = base;
      for (let way = 0; way < ways; way++) {
        this.#older[base + way] = base + ((way + 1) % ways);
        this.#newer[base + way] = base + ((way + ways - 1) % ways);
      }
    }
  }

  lookup(tag: number, pageLo: number, pageHi: number): number {
    const { entries } = this;
    const { levels } = entries;
    let slot = -1;
    if (levels[0] !== 0) slot = entries.find(tag, 0, pageLo, pageHi);
    if (slot < 0 && levels[1] !== 0) slot = entries.find(tag, 1, pageLo & -0x200, pageHi);
    if (slot < 0 && levels[2] !== 0) slot = entries.find(tag, 2, pageLo & -0x40000, pageHi);
    if (slot >= 0) this.touch(slot);
    return slot;
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
    const low = alignLow(pageLo, 9 * level);
    const high = alignHigh(pageHi, 9 * level);
    const newest = this.#newest[this.#set(tag, level, low, high)]!;
    const victim = this.#newer[newest]!;
    if (this.entries.live[victim] !== 0) {
      this.#onDrop(victim, DROP.replacement);
      this.entries.unlink(victim);
    }
    this.entries.link(victim, tag, domain, pasid, level, low, high, outLo, outHi);
    this.touch(victim);
    return victim;
  }

  drop(slot: number, why: number): void {
    this.#onDrop(slot, why);
    this.entries.unlink(slot);
    // the next victim is the oldest of the set: an emptied way goes there if it is to be refilled first
    if (this.#geometry.refillInvalidFirst) {
      this.touch(slot);
      this.#newest[Math.floor(slot / this.#geometry.ways)] = this.#older[slot]!;
    }
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
    return dropPages(this, domain, pasid, pageLo, pageHi, order, why);
  }

  dropDomain(domain: number, pasid: number, why: number): number {
    return dropDomain(this, domain, pasid, why);
  }

  #set(tag: number, level: number, pageLo: number, pageHi: number): number {
    const { sets, hashed } = this.#geometry;
    if (sets === 1) return 0;
    const shift = 9 * level;
    const low = (pageLo >>> shift) | (level === 0 ? 0 : pageHi << (32 - shift));
    if (!hashed) return (low >>> 0) % sets;
    let mixed = Math.imul(low ^ Math.imul(pageHi >>> shift, 0x27d4eb2f) ^ Math.imul(tag, 0x165667b1), 0x9e3779b1);
    mixed ^= mixed >>> 15;
    return (Math.imul(mixed, 0x85ebca6b) >>> 8) % sets;
  }

  /** Makes a slot the most recently used of its set. */
  touch(slot: number): void {
    const { ways } = this.#geometry;
    const set = ways === 1 ? slot : Math.floor(slot / ways);
    const first = this.#newest[set]!;
    if (first === slot) return;
    const older = this.#older;
    const newer = this.#newer;
    const last = newer[first]!;
    if (last !== slot) {
      older[newer[slot]!] = older[slot]!;
      newer[older[slot]!] = newer[slot]!;
      older[last] = slot;
      newer[slot] = last;
      older[slot] = first;
      newer[first] = slot;
    }
    this.#newest[set] = slot;
  }
}
