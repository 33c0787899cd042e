import { SET_INDEX } from '../model/set-index.ts';
import type { ReachGeometry } from './reach-caches.ts';

/**
 * A way in which a unit and a device may be built. All are fitted to a curve: what the best of each leaves over says what the
 * curve rules out, and which it can't tell apart.
 */
export interface ReachFamily {
  readonly name: string;
  readonly summary: string;
  /** Entries of the IOTLB; undefined: fitted, in multiples of `ways`. */
  readonly entries: number | undefined;
  /** Ways of each set; 0: one set of all entries. */
  readonly ways: number;
  /** `SET_INDEX` value. */
  readonly index: number;
  /** The device takes data in the order of its requests. */
  readonly inOrder: boolean;
  /** Walks side by side; undefined: fitted. */
  readonly walkers: number | undefined;
  /** `all`: the walk caches hold every table; `none`: there are none; `fitted`: so many pointers to leaf tables are. */
  readonly walkCaches: 'all' | 'none' | 'fitted';
  /** The highest rate is the link's: requests come no closer, and the device may have more under way than that rate needs. */
  readonly link: boolean;
}

const PLAIN: ReachFamily = {
  name: 'one-set',
  summary: 'fully associative, the device takes data in order',
  entries: undefined,
  ways: 0,
  index: SET_INDEX.low,
  inOrder: true,
  walkers: undefined,
  walkCaches: 'all',
  link: false,
};

/** The simplest first: of two that fit alike the first is taken. */
export const REACH_FAMILIES: readonly ReachFamily[] = [
  PLAIN,
  {
    ...PLAIN,
    name: 'one-set, any order',
    summary: 'fully associative, a place is free with its own data',
    inOrder: false,
  },
  {
    ...PLAIN,
    name: 'one-set, link',
    summary: 'fully associative, data in order, the link bounds the rate',
    link: true,
  },
  {
    ...PLAIN,
    name: 'one-set, any order, link',
    summary: 'fully associative, any order, the link bounds the rate',
    inOrder: false,
    link: true,
  },
  { ...PLAIN, name: '8-way', summary: '8 ways, sets by the low bits, data in order', ways: 8 },
  { ...PLAIN, name: '4-way', summary: '4 ways, sets by the low bits, data in order', ways: 4 },
  {
    ...PLAIN,
    name: '16-way, hashed',
    summary: '16 ways, hashed sets, data in order',
    ways: 16,
    index: SET_INDEX.mixed,
  },
  { ...PLAIN, name: '8-way, hashed', summary: '8 ways, hashed sets, data in order', ways: 8, index: SET_INDEX.mixed },
  {
    ...PLAIN,
    name: '8-way, hashed, any order',
    summary: '8 ways, hashed sets, a place is free with its own data',
    ways: 8,
    index: SET_INDEX.mixed,
    inOrder: false,
  },
  { ...PLAIN, name: '64 entries', summary: '64 entries in one set, data in order', entries: 64 },
  { ...PLAIN, name: '64 entries, any order', summary: '64 entries, one set, any order', entries: 64, inOrder: false },
  { ...PLAIN, name: '128 entries', summary: '128 entries in one set, data in order', entries: 128 },
  { ...PLAIN, name: '256 entries', summary: '256 entries in one set, data in order', entries: 256 },
  { ...PLAIN, name: 'one walk at a time', summary: 'fully associative, one walker, data in order', walkers: 1 },
  { ...PLAIN, name: 'no walk caches', summary: 'fully associative, every walk reads 4 tables', walkCaches: 'none' },
  {
    ...PLAIN,
    name: 'few table pointers',
    summary: 'fully associative, a small cache of table pointers',
    walkCaches: 'fitted',
  },
  {
    ...PLAIN,
    name: 'few table pointers, any order',
    summary: 'fully associative, a small cache of table pointers, any order',
    inOrder: false,
    walkCaches: 'fitted',
  },
];

/** The caches of a family for a number of entries; `pointers`: to leaf tables, where they are fitted. */
export function familyGeometry(
  family: ReachFamily,
  entries: number,
  pointers: number,
  largestWindow: number,
): ReachGeometry {
  const ways = family.ways === 0 ? entries : family.ways;
  const leafTables = Math.ceil(largestWindow / 2 ** 21);
  const upper = Math.ceil(largestWindow / 2 ** 30);
  return {
    sets: Math.max(1, Math.round(entries / ways)),
    ways,
    index: family.index,
    replacement: 0,
    walkCaches:
      family.walkCaches === 'none'
        ? [0, 0, 0]
        : [family.walkCaches === 'all' ? roundUp(leafTables) : pointers, roundUp(upper), 4],
  };
}

function roundUp(count: number): number {
  return Math.max(4, 2 ** Math.ceil(Math.log2(count)));
}
