import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entryMatch, matchDomain } from './entry-match.ts';
import { DROP } from './iotlb.ts';
import type { Iotlb } from './iotlb.ts';
import { NaiveQemu, NaiveSets, names } from './testing/reference-caches.ts';
import type { Entry } from './testing/reference-caches.ts';
import { QemuIotlb } from './qemu-iotlb.ts';
import { REPLACEMENT } from './replacement.ts';
import { SetAssociativeIotlb } from './set-associative-iotlb.ts';
import { SET_INDEX } from './set-index.ts';
import type { Geometry } from './set-associative-iotlb.ts';

const TWO_32 = 2 ** 32;
const low = (page: number): number => page | 0;
const high = (page: number): number => Math.floor(page / TWO_32);

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
      order: fc.constantFrom(0, 0, 0, 0, 2, 9, 13, 18),
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

const match = entryMatch();

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
          expect(fast.entries.outLoOf(slot)).toBe(expected?.out);
          break;
        }
        const out = op.page % 1000;
        const entry = { tag: op.tag, domain, pasid, order: op.order, page: op.page, out };
        fast.insert(op.tag, domain, pasid, op.order, low(op.page), high(op.page), out, 0);
        const reset = naive.insert(entry);
        expect(fast.wasReset).toBe(reset === true);
        break;
      }
      case 'pages':
        expect(
          fast.dropPages(matchDomain(match, op.domain, op.pasid), low(op.page), high(op.page), op.order, DROP.command),
        ).toBe(naive.dropPages(op.domain, op.pasid, op.page, op.order));
        break;
      case 'domain':
        expect(fast.dropMatching(matchDomain(match, op.domain, op.pasid), DROP.command)).toBe(
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

describe("QEMU's caches", () => {
  test.each([
    [1, 52, false],
    [7, 52, false],
    [16, 8, false],
    [9, 52, true],
  ])('capacity %i, mask of %i bits, largest first %s: as the naive cache', (capacity, maskBits, largestFirst) => {
    fc.assert(
      fc.property(operations, (list) => {
        const naive = new NaiveQemu(capacity, maskBits, largestFirst);
        const fast = new QemuIotlb({ capacity, maskBits, largestFirst }, () => undefined);
        expect(compare(fast, naive, list, () => naive.entries)).toBe(list.length);
      }),
      { numRuns: 200 },
    );
  });

  test('a mask of 8 bits drops pages with the same low bits elsewhere, a whole one does not', () => {
    const dropped = (maskBits: number): number => {
      const cache = new QemuIotlb({ capacity: 16, maskBits, largestFirst: false }, () => undefined);
      for (const number of [0x100, 0x200, 0x201]) cache.insert(0, 3, -1, 0, number, 0, 0, 0);
      return cache.dropPages(matchDomain(match, 3, -1), 0x300, 0, 0, DROP.command);
    };
    expect(dropped(8)).toBe(2);
    expect(dropped(52)).toBe(0);
  });
});

function geometryOf(sets: number, ways: number, parts: Partial<Geometry> = {}): Geometry {
  const banks = [{ sets, ways, fromOrder: 0 }];
  return { banks, index: SET_INDEX.low, replacement: REPLACEMENT.lru, seed: 1, refillInvalidFirst: true, ...parts };
}

const split = [
  { sets: 4, ways: 2, fromOrder: 0 },
  { sets: 2, ways: 1, fromOrder: 9 },
  { sets: 1, ways: 3, fromOrder: 18 },
];

describe('set-associative', () => {
  test.each([
    ['1 x 1', geometryOf(1, 1)],
    ['fully associative', geometryOf(1, 6)],
    ['4 x 2', geometryOf(4, 2)],
    ['3 x 3, emptied ways keep their place', geometryOf(3, 3, { refillInvalidFirst: false })],
    ['2 x 4, emptied ways keep their place', geometryOf(2, 4, { refillInvalidFirst: false })],
    ['FIFO', geometryOf(2, 3, { replacement: REPLACEMENT.fifo })],
    [
      'FIFO, emptied ways keep their place',
      geometryOf(1, 5, { replacement: REPLACEMENT.fifo, refillInvalidFirst: false }),
    ],
    ['tree PLRU', geometryOf(2, 4, { replacement: REPLACEMENT.treePlru })],
    ['tree PLRU of 6 ways', geometryOf(1, 6, { replacement: REPLACEMENT.treePlru })],
    [
      'tree PLRU, emptied ways keep their place',
      geometryOf(1, 8, { replacement: REPLACEMENT.treePlru, refillInvalidFirst: false }),
    ],
    ['split by page size', geometryOf(0, 0, { banks: split })],
    ['split by page size, tree PLRU', geometryOf(0, 0, { banks: split, replacement: REPLACEMENT.treePlru })],
    ['split by page size, FIFO', geometryOf(0, 0, { banks: split, replacement: REPLACEMENT.fifo })],
  ])('%s: as the naive cache, operation by operation', (_, geometry) => {
    fc.assert(
      fc.property(operations, (list) => {
        const naive = new NaiveSets(geometry);
        const fast = new SetAssociativeIotlb(geometry, () => undefined);
        const live = (): Entry[] => naive.ways.flat().filter((one) => one !== undefined);
        expect(compare(fast, naive, list, live)).toBe(list.length);
      }),
      { numRuns: 100 },
    );
  });

  test('random replacement: the same seed gives the same misses, any way goes at last, hits change nothing', () => {
    const run = (seed: number): string => {
      const cache = new SetAssociativeIotlb(
        geometryOf(1, 4, { replacement: REPLACEMENT.random, seed }),
        () => undefined,
      );
      let seen = '';
      for (let i = 0; i < 200; i++) {
        const number = (i * 7 + (i >> 3)) % 6;
        const hit = cache.lookup(0, number, 0) >= 0;
        if (!hit) cache.insert(0, 3, -1, 0, number, 0, 0, 0);
        seen += hit ? 'h' : 'm';
      }
      expect(cache.entries.count).toBe(4);
      return seen;
    };
    expect(run(1)).toBe(run(1));
    expect(run(1)).not.toBe(run(2));
    expect(run(1)).toMatch(/^m{4}/);
  });

  test.each([
    ['low', SET_INDEX.low, (page: number) => page % 16],
    ['folded', SET_INDEX.folded, (page: number, tag: number) => (page ^ (page >>> 6) ^ (tag * 37)) & 15],
  ] as const)('set index %s: pages of one set push each other out, those of others do not', (_, index, setOf) => {
    const gone: number[] = [];
    const cache = new SetAssociativeIotlb(geometryOf(16, 1, { index }), (slot) =>
      gone.push(cache.entries.pageLoOf(slot) ?? -1),
    );
    const held = new Map<number, number>();
    const expected: number[] = [];
    for (let i = 0; i < 400; i++) {
      const number = (i * 2654435761) % 5000;
      if (cache.lookup(5, number, 0) >= 0) continue;
      cache.insert(5, 3, -1, 0, number, 0, 0, 0);
      const set = setOf(number, 5);
      const old = held.get(set);
      if (old !== undefined) expected.push(old);
      held.set(set, number);
    }
    expect(gone).toEqual(expected);
    expect(gone.length).toBeGreaterThan(100);
  });

  test('a hash spreads a stride that hits one set otherwise', () => {
    const misses = (index: number): number => {
      const cache = new SetAssociativeIotlb(geometryOf(16, 2, { index }), () => undefined);
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
    expect(misses(SET_INDEX.low)).toBe(128);
    expect(misses(SET_INDEX.mixed)).toBeLessThan(100);
  });

  test('tells why each entry went, while its slot still holds it', () => {
    const gone: (readonly [number, number])[] = [];
    const cache = new SetAssociativeIotlb(geometryOf(1, 2), (slot, why) =>
      gone.push([cache.entries.pageLoOf(slot) ?? -1, why]),
    );
    for (const number of [1, 2, 3]) cache.insert(0, 3, -1, 0, number, 0, 0, 0);
    cache.dropPages(matchDomain(match, 3, -1), 2, 0, 0, DROP.command);
    cache.dropAll(DROP.reset);
    expect(gone).toEqual([
      [1, DROP.replacement],
      [2, DROP.command],
      [3, DROP.reset],
    ]);
  });
});
