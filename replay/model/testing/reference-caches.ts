import { REPLACEMENT } from '../replacement.ts';
import type { Geometry } from '../set-associative-iotlb.ts';

/** An entry as the naive caches keep it: whole numbers and arrays, searched from end to end. */
export interface Entry {
  tag: number;
  domain: number;
  pasid: number;
  order: number;
  page: number;
  out: number;
}

const TWO_32 = 2 ** 32;
/** 4 KiB, 16 KiB, 2 MiB, 32 MiB, 1 GiB. */
const ORDERS = [0, 2, 9, 13, 18];
const aligned = (page: number, order: number): number => page - (page % 2 ** order);
export const names = (entry: Entry, domain: number, pasid: number): boolean =>
  entry.domain === domain && (pasid < 0 || entry.pasid < 0 || entry.pasid === pasid);

/** The emulator's cache by its three rules: no ageing, everything goes when full, masked comparison of page numbers. */
export class NaiveQemu {
  entries: Entry[] = [];
  readonly #capacity: number;
  readonly #mask: number;
  readonly #largestFirst: boolean;

  constructor(capacity: number, maskBits: number, largestFirst: boolean) {
    this.#largestFirst = largestFirst;
    this.#capacity = capacity;
    this.#mask = 2 ** maskBits - 1;
  }

  lookup(tag: number, page: number): Entry | undefined {
    for (const order of this.#largestFirst ? ORDERS.toReversed() : ORDERS) {
      const found = this.entries.find(
        (one) => one.tag === tag && one.order === order && one.page === aligned(page, order),
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }

  insert(entry: Entry): boolean {
    const reset = this.entries.length >= this.#capacity;
    if (reset) this.entries = [];
    this.entries.push({ ...entry, page: aligned(entry.page, entry.order) });
    return reset;
  }

  dropPages(domain: number, pasid: number, page: number, order: number): number {
    const masked = (value: number): bigint => BigInt(value) & BigInt(this.#mask) & ~((1n << BigInt(order)) - 1n);
    return this.drop(
      (one) =>
        names(one, domain, pasid) && (masked(one.page) === masked(page) || one.page === aligned(page, one.order)),
    );
  }

  drop(gone: (entry: Entry) => boolean): number {
    const before = this.entries.length;
    this.entries = this.entries.filter((one) => !gone(one));
    return before - this.entries.length;
  }
}

/** A naive policy: which way of a set goes next, by lists. */
interface NaivePolicy {
  use(set: number, way: number): void;
  fill(set: number, way: number): void;
  victim(set: number): number;
}

/** Least recently used, or first in, first out. Ways that were never used come in order, from the last. */
class NaiveOrder implements NaivePolicy {
  readonly #order: number[][];
  readonly #touches: boolean;

  constructor(ways: readonly number[], touches: boolean) {
    this.#order = ways.map((count) => [...Array(count).keys()].toReversed());
    this.#touches = touches;
  }

  use(set: number, way: number): void {
    if (this.#touches) this.fill(set, way);
  }

  fill(set: number, way: number): void {
    const order = this.#order[set] ?? [];
    order.splice(order.indexOf(way), 1);
    order.push(way);
  }

  victim(set: number): number {
    return this.#order[set]?.[0] ?? 0;
  }
}

/** Tree pseudo-LRU by intervals of ways: each remembers which half was used last. */
class NaiveTree implements NaivePolicy {
  readonly #ways: readonly number[];
  readonly #lastUpper = new Map<string, boolean>();

  constructor(ways: readonly number[]) {
    this.#ways = ways;
  }

  use(set: number, way: number): void {
    this.#descend(set, (middle) => way >= middle, true);
  }

  fill(set: number, way: number): void {
    this.use(set, way);
  }

  victim(set: number): number {
    const ways = this.#ways[set] ?? 0;
    return this.#descend(set, (middle, key) => middle < ways && this.#lastUpper.get(key) === false, false);
  }

  #descend(set: number, upper: (middle: number, key: string) => boolean, note: boolean): number {
    let from = 0;
    for (let size = 2 ** Math.ceil(Math.log2(Math.max(...this.#ways))); size > 1; size /= 2) {
      const key = `${set} ${from} ${size}`;
      const goesUp = upper(from + size / 2, key);
      if (note) this.#lastUpper.set(key, goesUp);
      if (goesUp) from += size / 2;
    }
    return from;
  }
}

/** Banks of sets of ways as arrays of arrays. */
export class NaiveSets {
  readonly ways: (Entry | undefined)[][];
  readonly #policy: NaivePolicy;
  readonly #geometry: Geometry;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
    const counts = geometry.banks.flatMap(({ sets, ways }) => Array.from({ length: sets }, () => ways));
    this.ways = counts.map((ways) => Array.from({ length: ways }, () => undefined));
    const { replacement } = geometry;
    this.#policy =
      replacement === REPLACEMENT.treePlru
        ? new NaiveTree(counts)
        : new NaiveOrder(counts, replacement === REPLACEMENT.lru);
  }

  lookup(tag: number, page: number): Entry | undefined {
    for (const order of ORDERS) {
      for (const [s, set] of this.ways.entries()) {
        const way = set.findIndex(
          (one) => one?.tag === tag && one.order === order && one.page === aligned(page, order),
        );
        if (way < 0) continue;
        this.#policy.use(s, way);
        return set[way];
      }
    }
    return undefined;
  }

  insert(entry: Entry): void {
    const page = aligned(entry.page, entry.order);
    const { banks } = this.#geometry;
    const bank = banks.findLastIndex(({ fromOrder }) => entry.order >= fromOrder);
    const first = banks.slice(0, bank).reduce((sum, { sets }) => sum + sets, 0);
    const index = first + ((Math.floor(page / 2 ** entry.order) % TWO_32) % (banks[bank]?.sets ?? 1));
    const set = this.ways[index] ?? [];
    const free = this.#geometry.refillInvalidFirst ? set.indexOf(undefined) : -1;
    const way = free >= 0 ? free : this.#policy.victim(index);
    set[way] = { ...entry, page };
    this.#policy.fill(index, way);
  }

  dropPages(domain: number, pasid: number, page: number, order: number): number {
    return this.drop((one) => {
      const shift = Math.max(order, one.order);
      return names(one, domain, pasid) && aligned(one.page, shift) === aligned(page, shift);
    });
  }

  drop(gone: (entry: Entry) => boolean): number {
    let dropped = 0;
    for (const set of this.ways) {
      for (const [w, one] of set.entries()) {
        if (one === undefined || !gone(one)) continue;
        set[w] = undefined;
        dropped++;
      }
    }
    return dropped;
  }
}
