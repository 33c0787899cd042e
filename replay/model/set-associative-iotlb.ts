import { CacheEntries } from './cache-entries.ts';
import { dropMatching, dropMatchingPages } from './entry-match.ts';
import type { EntryMatch } from './entry-match.ts';
import { DROP, alignHigh, alignLow, dropAll } from './iotlb.ts';
import type { DropListener, Iotlb } from './iotlb.ts';
import { createReplacement } from './replacement.ts';
import type { Replacement } from './replacement.ts';
import { setNumber } from './set-index.ts';

/** Sets of ways that hold pages from one size on. */
export interface Bank {
  readonly sets: number;
  readonly ways: number;
  /** Smallest order of its entries; the next bank's is where it ends. */
  readonly fromOrder: number;
}

/** Geometry of a set-associative cache. */
export interface Geometry {
  /** One for all sizes, or one per class of sizes; ascending by `fromOrder`, which is 0 in the first. */
  readonly banks: readonly Bank[];
  /**
   * `SET_INDEX` value. `low`: the low bits of the page number; `mixed`: all of page and tag; `folded`: (page ^ page >> 6 ^
   * 37 * tag) modulo the sets, on the low 32 bits of the page number.
   */
  readonly index: number;
  /** `REPLACEMENT` value. */
  readonly replacement: number;
  /** Seed of random replacement. */
  readonly seed: number;
  /** A set refills ways that an invalidation emptied before it replaces a live one. */
  readonly refillInvalidFirst: boolean;
}

/** Sets of at most so many ways are searched for an emptied one. */
const SEARCHED = 64;

/** Geometry of one fully associative bank with the same policy: what tells misses of conflict from those of capacity. */
export function withoutSets(geometry: Geometry): Geometry {
  const ways = geometry.banks.reduce((sum, bank) => sum + bank.sets * bank.ways, 0);
  return { ...geometry, banks: [{ sets: 1, ways, fromOrder: 0 }] };
}

/** A fully associative cache with least recently used replacement. */
export function fullyAssociative(ways: number): Geometry {
  return { banks: [{ sets: 1, ways, fromOrder: 0 }], index: 0, replacement: 0, seed: 0, refillInvalidFirst: true };
}

/**
 * Sets times ways, unified or split by page size. Each entry is indexed by its own page number. One set makes it fully
 * associative: every operation is constant time for any number of ways.
 */
export class SetAssociativeIotlb implements Iotlb {
  readonly entries: CacheEntries;
  readonly wasReset = false;
  readonly #geometry: Geometry;
  readonly #onDrop: DropListener;
  readonly #replacement: Replacement;
  readonly #setOf: Int32Array;
  readonly #bases: Int32Array;
  /** First set of each bank. */
  readonly #bankSets: readonly number[];
  /**
   * Emptied ways, only if they go first: of sets that are searched for the lowest how many there are; of larger ones a stack,
   * slot plus 1 of the newest and of the one below each.
   */
  readonly #emptied: Int32Array;
  readonly #below: Int32Array;
  readonly #searched: boolean;
  readonly #unified: boolean;

  constructor(geometry: Geometry, onDrop: DropListener) {
    const { banks } = geometry;
    this.#geometry = geometry;
    this.#onDrop = onDrop;
    this.#unified = banks.length === 1;
    this.#searched = banks.every(({ ways }) => ways <= SEARCHED);
    const bases: number[] = [0];
    const bankSets: number[] = [];
    for (const { sets, ways } of banks) {
      bankSets.push(bases.length - 1);
      for (let set = 0; set < sets; set++) bases.push(bases[bases.length - 1]! + ways);
    }
    const capacity = bases[bases.length - 1]!;
    this.#bankSets = bankSets;
    this.entries = new CacheEntries(capacity);
    this.#bases = Int32Array.from(bases);
    this.#replacement = createReplacement(geometry.replacement, this.#bases, geometry.seed);
    this.#setOf = new Int32Array(capacity);
    this.#emptied = new Int32Array(bases.length - 1);
    this.#below = new Int32Array(capacity);
    for (let set = 0; set < bases.length - 1; set++) {
      for (let slot = bases[set + 1]! - 1; slot >= bases[set]!; slot--) {
        this.#setOf[slot] = set;
        this.#empty(slot, set);
      }
    }
  }

  lookup(tag: number, pageLo: number, pageHi: number): number {
    const { entries } = this;
    if (entries.onlyPages) {
      const slot = entries.find(tag, 0, pageLo, pageHi);
      if (slot >= 0) this.touch(slot);
      return slot;
    }
    const { orders, countOfOrder, orderCount } = entries;
    for (let i = 0; i < orderCount; i++) {
      const order = orders[i]!;
      if (countOfOrder[order] === 0) continue;
      const slot =
        order === 0
          ? entries.find(tag, 0, pageLo, pageHi)
          : entries.find(tag, order, alignLow(pageLo, order), alignHigh(pageHi, order));
      if (slot >= 0) {
        this.touch(slot);
        return slot;
      }
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
    const low = alignLow(pageLo, order);
    const high = alignHigh(pageHi, order);
    const set = this.#set(tag, order, low, high);
    let victim = 0;
    if (this.#emptied[set]! > 0) victim = this.#refill(set);
    else {
      victim = this.#replacement.victim(set);
      if (this.entries.live[victim] !== 0) {
        this.#onDrop(victim, DROP.replacement);
        this.entries.unlink(victim);
      }
    }
    this.entries.link(victim, tag, domain, pasid, order, low, high, outLo, outHi);
    this.#replacement.filled(victim, set);
    return victim;
  }

  /** A hit that did not come by `lookup`. */
  touch(slot: number): void {
    this.#replacement.touch(slot, this.#setOf[slot]!);
  }

  drop(slot: number, why: number): void {
    this.#onDrop(slot, why);
    this.entries.unlink(slot);
    this.#empty(slot, this.#setOf[slot]!);
  }

  dropAll(why: number): number {
    return dropAll(this, why);
  }

  dropMatching(match: EntryMatch, why: number): number {
    return dropMatching(this, match, why);
  }

  dropPages(match: EntryMatch, pageLo: number, pageHi: number, order: number, why: number): number {
    return dropMatchingPages(this, match, pageLo, pageHi, order, why);
  }

  /** An emptied way is refilled first, or keeps its place in the order. */
  #empty(slot: number, set: number): void {
    if (!this.#geometry.refillInvalidFirst) return;
    if (this.#searched) {
      this.#emptied[set]!++;
      return;
    }
    this.#below[slot] = this.#emptied[set]!;
    this.#emptied[set] = slot + 1;
  }

  /** An emptied way of a set that has one. */
  #refill(set: number): number {
    if (this.#searched) {
      this.#emptied[set]!--;
      const { live } = this.entries;
      let slot = this.#bases[set]!;
      while (live[slot] !== 0) slot++;
      return slot;
    }
    const slot = this.#emptied[set]! - 1;
    this.#emptied[set] = this.#below[slot]!;
    return slot;
  }

  #set(tag: number, order: number, pageLo: number, pageHi: number): number {
    const { banks, index } = this.#geometry;
    let bank = 0;
    if (!this.#unified) while (bank + 1 < banks.length && order >= banks[bank + 1]!.fromOrder) bank++;
    const { sets } = banks[bank]!;
    const first = this.#bankSets[bank]!;
    if (sets === 1) return first;
    return first + (setNumber(index, tag, order, pageLo, pageHi) % sets);
  }
}
