import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DROP } from './iotlb.ts';
import type { Iotlb } from './iotlb.ts';
import { QemuVtdIotlb } from './qemu-vtd-iotlb.ts';
import { SetAssociativeIotlb } from './set-associative-iotlb.ts';
import type { Geometry } from './set-associative-iotlb.ts';

/** An entry as the naive caches keep it: whole numbers and arrays, searched from end to end. */
interface Entry {
  tag: number;
  domain: number;
  pasid: number;
  level: number;
  page: number;
  out: number;
  used: number;
}

const TWO_32 = 2 ** 32;
const low = (page: number): number => page | 0;
const high = (page: number): number => Math.floor(page / TWO_32);
const aligned = (page: number, order: number): number => page - (page % 2 ** order);
const names = (entry: Entry, domain: number, pasid: number): boolean =>
  entry.domain === domain && (pasid < 0 || entry.pasid < 0 || entry.pasid === pasid);

/** The emulator's cache by its three rules: no ageing, everything goes when full, masked comparison of page numbers. */
class NaiveQemu {
  entries: Entry[] = [];
  readonly #capacity: number;
  readonly #mask: number;

  constructor(capacity: number, maskBits: number) {
    this.#capacity = capacity;
    this.#mask = 2 ** maskBits - 1;
  }

  lookup(tag: number, page: number): Entry | undefined {
    for (let level = 0; level < 3; level++) {
      const found = this.entries.find(
        (one) => one.tag === tag && one.level === level && one.page === aligned(page, 9 * level),
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }

  insert(entry: Omit<Entry, 'used'>): boolean {
    const reset = this.entries.length >= this.#capacity;
    if (reset) this.entries = [];
    this.entries.push({ ...entry, page: aligned(entry.page, 9 * entry.level), used: 0 });
    return reset;
  }

  dropPages(domain: number, pasid: number, page: number, order: number): number {
    const masked = (value: number): bigint => BigInt(value) & BigInt(this.#mask) & ~((1n << BigInt(order)) - 1n);
    return this.drop(
      (one) =>
        names(one, domain, pasid) && (masked(one.page) === masked(page) || one.page === aligned(page, 9 * one.level)),
    );
  }

  drop(gone: (entry: Entry) => boolean): number {
    const before = this.entries.length;
    this.entries = this.entries.filter((one) => !gone(one));
    return before - this.entries.length;
  }
}

/** Sets of ways as arrays of arrays, victims found by comparing times of use. */
class NaiveSets {
  readonly ways: (Entry | undefined)[][];
  readonly #order: number[][];
  readonly #geometry: Geometry;
  #now = 1;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
    this.ways = Array.from({ length: geometry.sets }, () => Array.from({ length: geometry.ways }, () => undefined));
    // a time of use for each way, live or not; unused ways are taken from the highest down
    this.#order = this.ways.map((set) => set.map((_, way) => -way));
  }

  lookup(tag: number, page: number): Entry | undefined {
    for (let level = 0; level < 3; level++) {
      for (const [s, set] of this.ways.entries()) {
        const way = set.findIndex(
          (one) => one?.tag === tag && one.level === level && one.page === aligned(page, 9 * level),
        );
        if (way < 0) continue;
        this.#use(s, way);
        return set[way];
      }
    }
    return undefined;
  }

  insert(entry: Omit<Entry, 'used'>): void {
    const page = aligned(entry.page, 9 * entry.level);
    const index = (Math.floor(page / 512 ** entry.level) % TWO_32) % this.#geometry.sets;
    const order = this.#order[index] ?? [];
    const set = this.ways[index] ?? [];
    const way = order.indexOf(Math.min(...order));
    set[way] = { ...entry, page, used: 0 };
    this.#use(index, way);
  }

  dropPages(domain: number, pasid: number, page: number, order: number): number {
    return this.drop((one) => {
      const shift = Math.max(order, 9 * one.level);
      return names(one, domain, pasid) && aligned(one.page, shift) === aligned(page, shift);
    });
  }

  drop(gone: (entry: Entry) => boolean): number {
    let dropped = 0;
    for (const [s, set] of this.ways.entries()) {
      for (const [w, one] of set.entries()) {
        if (one === undefined || !gone(one)) continue;
        set[w] = undefined;
        dropped++;
        if (this.#geometry.refillInvalidFirst) (this.#order[s] ?? [])[w] = -this.#now++ - 1000;
      }
    }
    return dropped;
  }

  #use(set: number, way: number): void {
    (this.#order[set] ?? [])[way] = this.#now++;
  }
}

const page = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 500, max: 530 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 }).map((n) => 2 ** 32 - 8 + n) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }).map((n) => n * 262144 + 7) },
);
const operation = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('access' as const),
      tag: fc.integer({ min: 0, max: 2 }),
      page,
      level: fc.constantFrom(0, 0, 0, 0, 1, 2),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('pages' as const),
      domain: fc.integer({ min: 3, max: 5 }),
      pasid: fc.constantFrom(-1, -1, 0, 1),
      page,
      order: fc.constantFrom(0, 0, 0, 1, 3, 5, 9, 18, 33, 52),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('domain' as const),
      domain: fc.integer({ min: 3, max: 5 }),
      pasid: fc.constantFrom(-1, 0, 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('all' as const) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Tag 0 is domain 3 without PASID; tags 1 and 2 are PASIDs 0 and 1 of domain 4. */
const identity = (tag: number): { domain: number; pasid: number } =>
  tag === 0 ? { domain: 3, pasid: -1 } : { domain: 4, pasid: tag - 1 };

function compare(
  fast: Iotlb,
  naive: NaiveQemu | NaiveSets,
  operations: readonly Operation[],
  live: () => Entry[],
): number {
  for (const op of operations) {
    switch (op.kind) {
      case 'access': {
        const { domain, pasid } = identity(op.tag);
        const slot = fast.lookup(op.tag, low(op.page), high(op.page));
        const expected = naive.lookup(op.tag, op.page);
        expect(slot >= 0).toBe(expected !== undefined);
        if (slot >= 0) {
          expect(fast.entries.outLo[slot]).toBe(expected?.out);
          break;
        }
        const out = op.page % 1000;
        const entry = { tag: op.tag, domain, pasid, level: op.level, page: op.page, out };
        fast.insert(op.tag, domain, pasid, op.level, low(op.page), high(op.page), out, 0);
        const reset = naive.insert(entry);
        expect(fast.wasReset).toBe(reset === true);
        break;
      }
      case 'pages':
        expect(fast.dropPages(op.domain, op.pasid, low(op.page), high(op.page), op.order, DROP.command)).toBe(
          naive.dropPages(op.domain, op.pasid, op.page, op.order),
        );
        break;
      case 'domain':
        expect(fast.dropDomain(op.domain, op.pasid, DROP.command)).toBe(
          naive.drop((one) => names(one, op.domain, op.pasid)),
        );
        break;
      case 'all':
        expect(fast.dropAll(DROP.command)).toBe(naive.drop(() => true));
        break;
    }
    expect(fast.entries.count).toBe(live().length);
  }
  return operations.length;
}

const operations = fc.array(operation, { minLength: 1, maxLength: 120 });

describe('qemu-vtd', () => {
  test.each([
    [1, 52],
    [7, 52],
    [16, 8],
  ])('capacity %i, mask of %i bits: as the naive cache, operation by operation', (capacity, maskBits) => {
    fc.assert(
      fc.property(operations, (list) => {
        const naive = new NaiveQemu(capacity, maskBits);
        const fast = new QemuVtdIotlb(capacity, maskBits, () => undefined);
        expect(compare(fast, naive, list, () => naive.entries)).toBe(list.length);
      }),
      { numRuns: 200 },
    );
  });

  test('a mask of 8 bits drops pages with the same low bits elsewhere, a whole one does not', () => {
    const dropped = (maskBits: number): number => {
      const cache = new QemuVtdIotlb(16, maskBits, () => undefined);
      for (const number of [0x100, 0x200, 0x201]) cache.insert(0, 3, -1, 0, number, 0, 0, 0);
      return cache.dropPages(3, -1, 0x300, 0, 0, DROP.command);
    };
    expect(dropped(8)).toBe(2);
    expect(dropped(52)).toBe(0);
  });
});

describe('set-associative', () => {
  test.each([
    [1, 1, true],
    [1, 6, true],
    [4, 2, true],
    [3, 3, false],
    [2, 4, false],
  ])('%i sets x %i ways, refill invalid first %s: as the naive cache', (sets, ways, refillInvalidFirst) => {
    fc.assert(
      fc.property(operations, (list) => {
        const geometry = { sets, ways, hashed: false, refillInvalidFirst };
        const naive = new NaiveSets(geometry);
        const fast = new SetAssociativeIotlb(geometry, () => undefined);
        const live = (): Entry[] => naive.ways.flat().filter((one) => one !== undefined);
        expect(compare(fast, naive, list, live)).toBe(list.length);
      }),
      { numRuns: 200 },
    );
  });

  test('a hash spreads a stride that hits one set otherwise', () => {
    const misses = (hashed: boolean): number => {
      const geometry = { sets: 16, ways: 2, hashed, refillInvalidFirst: true };
      const cache = new SetAssociativeIotlb(geometry, () => undefined);
      let count = 0;
      for (let round = 0; round < 8; round++) {
        for (let i = 0; i < 16; i++) {
          if (cache.lookup(0, i * 16, 0) >= 0) continue;
          count++;
          cache.insert(0, 3, -1, 0, i * 16, 0, 0, 0);
        }
      }
      return count;
    };
    expect(misses(false)).toBe(128);
    expect(misses(true)).toBeLessThan(100);
  });

  test('tells why each entry went, while its slot still holds it', () => {
    const gone: (readonly [number, number])[] = [];
    const geometry = { sets: 1, ways: 2, hashed: false, refillInvalidFirst: true };
    const cache = new SetAssociativeIotlb(geometry, (slot, why) => gone.push([cache.entries.pageLo[slot] ?? -1, why]));
    for (const number of [1, 2, 3]) cache.insert(0, 3, -1, 0, number, 0, 0, 0);
    cache.dropPages(3, -1, 2, 0, 0, DROP.command);
    cache.dropAll(DROP.reset);
    expect(gone).toEqual([
      [1, DROP.replacement],
      [2, DROP.command],
      [3, DROP.reset],
    ]);
  });
});
