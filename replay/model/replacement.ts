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
      return new OldestFirst(bases, false);
    case REPLACEMENT.random:
      return new RandomReplacement(bases, seed);
    default:
      return new OldestFirst(bases, true);
  }
}

/** Sets of at most so many ways are searched for their oldest; larger ones have a heap. */
const SEARCHED = 16;

/**
 * Least recently used first, or (without `touches`) first in, first out. A use is one store: the time of it. In a large set a
 * heap over times that may be out of date, never too late, finds the oldest: what it finds is put right until it holds.
 */
class OldestFirst implements Replacement {
  readonly #bases: Int32Array;
  readonly #used: Int32Array;
  readonly #touches: boolean;
  /** Times as the heaps know them, by slot; the heap of a set is in the places of its slots. */
  readonly #known: Int32Array;
  readonly #heap: Int32Array;
  #now: number;

  constructor(bases: Int32Array, touches: boolean) {
    const slots = bases[bases.length - 1]!;
    this.#bases = bases;
    this.#touches = touches;
    // ways that were never used go in order
    this.#used = Int32Array.from({ length: slots }, (_, slot) => slot);
    this.#known = this.#used.slice();
    this.#heap = this.#used.slice();
    this.#now = slots;
  }

  touch(slot: number): void {
    if (!this.#touches) return;
    this.#used[slot] = ++this.#now;
    if (this.#now === 0x7fff_ffff) this.#renumber();
  }

  filled(slot: number): void {
    this.#used[slot] = ++this.#now;
    if (this.#now === 0x7fff_ffff) this.#renumber();
  }

  victim(set: number): number {
    const base = this.#bases[set]!;
    const end = this.#bases[set + 1]!;
    const used = this.#used;
    if (end - base <= SEARCHED) {
      let oldest = base;
      for (let slot = base + 1; slot < end; slot++) if (used[slot]! < used[oldest]!) oldest = slot;
      return oldest;
    }
    const known = this.#known;
    for (;;) {
      const top = this.#heap[base]!;
      const time = used[top]!;
      if (time === known[top]) return top;
      known[top] = time;
      this.#sink(base, end - base, top);
    }
  }

  /** Puts the slot at the root of a heap to its place. */
  #sink(base: number, count: number, slot: number): void {
    const heap = this.#heap;
    const known = this.#known;
    const time = known[slot]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && known[heap[base + child + 1]!]! < known[heap[base + child]!]!) child++;
      const lower = heap[base + child]!;
      if (known[lower]! >= time) break;
      heap[base + at] = lower;
      at = child;
    }
    heap[base + at] = slot;
  }

  /** Times start anew in the same order. */
  #renumber(): void {
    const order = Int32Array.from(this.#used.keys()).sort((a, b) => this.#used[a]! - this.#used[b]!);
    order.forEach((slot, time) => {
      this.#used[slot] = time;
      this.#known[slot] = time;
    });
    for (let set = 0; set + 1 < this.#bases.length; set++) {
      const [base, end] = [this.#bases[set]!, this.#bases[set + 1]!];
      this.#heap.subarray(base, end).sort((a, b) => this.#used[a]! - this.#used[b]!);
    }
    this.#now = order.length;
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
