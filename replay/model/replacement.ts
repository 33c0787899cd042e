/**
 * Which entry of a set goes next. Slots of a set are consecutive; `bases[s]` is the first slot of set s, the one after its last
 * is `bases[s + 1]`. One class per policy behind one interface.
 */
export interface Replacement {
  /** A lookup hit this slot. */
  touch(slot: number, set: number): void;
  /** A translation was put into this slot. */
  filled(slot: number, set: number): void;
  /** The slot of a set to be used next, live or not. */
  victim(set: number): number;
}

/** Values of the parameter `iotlb.replacement`. */
export const REPLACEMENT = { lru: 0, treePlru: 1, fifo: 2, random: 3 } as const;

/** A policy over sets given by their first slots; `seed` is that of the random one. */
export function createReplacement(policy: number, bases: Int32Array, seed: number): Replacement {
  switch (policy) {
    case REPLACEMENT.treePlru:
      return new TreePlru(bases);
    case REPLACEMENT.fifo:
      return new UseOrder(bases, false);
    case REPLACEMENT.random:
      return new RandomReplacement(bases, seed);
    default:
      return new UseOrder(bases, true);
  }
}

/** Least recently used first, or (without `touches`) first in, first out: per set a ring of slots from newest to oldest. */
class UseOrder implements Replacement {
  readonly #newest: Int32Array;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  readonly #touches: boolean;

  constructor(bases: Int32Array, touches: boolean) {
    const slots = bases[bases.length - 1]!;
    this.#touches = touches;
    this.#newest = new Int32Array(bases.length - 1);
    this.#older = new Int32Array(slots);
    this.#newer = new Int32Array(slots);
    for (let set = 0; set < bases.length - 1; set++) {
      const base = bases[set]!;
      const end = bases[set + 1]!;
      this.#newest[set] = base;
      for (let slot = base; slot < end; slot++) {
        this.#older[slot] = slot + 1 === end ? base : slot + 1;
        this.#newer[slot] = slot === base ? end - 1 : slot - 1;
      }
    }
  }

  touch(slot: number, set: number): void {
    if (this.#touches && this.#newest[set] !== slot) this.#raise(slot, set);
  }

  filled(slot: number, set: number): void {
    if (this.#newest[set] !== slot) this.#raise(slot, set);
  }

  victim(set: number): number {
    return this.#newer[this.#newest[set]!]!;
  }

  #raise(slot: number, set: number): void {
    const older = this.#older;
    const newer = this.#newer;
    const first = this.#newest[set]!;
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

/**
 * Tree pseudo-LRU: per set a binary tree of bits, each pointing to the half that was used less recently. Where the ways are no
 * power of two, halves without any way are passed over.
 */
class TreePlru implements Replacement {
  readonly #bases: Int32Array;
  /** Bits of set s from index s * #span on, the root at 1, children of n at 2n and 2n + 1. 1 points to the upper half. */
  readonly #bits: Uint8Array;
  readonly #span: number;

  constructor(bases: Int32Array) {
    let most = 1;
    for (let set = 0; set < bases.length - 1; set++) most = Math.max(most, bases[set + 1]! - bases[set]!);
    let span = 1;
    while (span < most) span *= 2;
    this.#bases = bases;
    this.#span = span;
    this.#bits = new Uint8Array(span * (bases.length - 1));
  }

  touch(slot: number, set: number): void {
    const bits = this.#bits;
    const root = set * this.#span;
    let way = slot - this.#bases[set]!;
    for (let node = 1, half = this.#span >>> 1; half > 0; half >>>= 1) {
      const upper = way >= half ? 1 : 0;
      bits[root + node] = 1 - upper;
      way -= upper * half;
      node = node * 2 + upper;
    }
  }

  filled(slot: number, set: number): void {
    this.touch(slot, set);
  }

  victim(set: number): number {
    const base = this.#bases[set]!;
    const ways = this.#bases[set + 1]! - base;
    const root = set * this.#span;
    let way = 0;
    for (let node = 1, half = this.#span >>> 1; half > 0; half >>>= 1) {
      const upper = way + half < ways ? this.#bits[root + node]! : 0;
      way += upper * half;
      node = node * 2 + upper;
    }
    return base + way;
  }
}

/** Any way, by a xorshift generator of its own: the same seed gives the same victims. */
class RandomReplacement implements Replacement {
  readonly #bases: Int32Array;
  #state: number;

  constructor(bases: Int32Array, seed: number) {
    this.#bases = bases;
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x2545f491) | 1;
  }

  touch(): void {}

  filled(): void {}

  victim(set: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    const base = this.#bases[set]!;
    return base + Math.floor(((state >>> 0) / 2 ** 32) * (this.#bases[set + 1]! - base));
  }
}
