import { PageIndex, keyHigh, pageOf, spaceOf } from './page-index.ts';

export const PAGE_BYTES = 4096;
const PAGE_SHIFT = 12;

/** Leaf sizes that are compared, by log2 of their bytes: 4 KiB, 16 KiB, 64 KiB, 2 MiB, 1 GiB. */
const LEAF_SHIFTS = [12, 14, 16, 21, 30] as const;

/** Pages of one size that take a share of the writes: the hottest ones. */
export interface HotSet {
  readonly pageBytes: number;
  /** All that were written. */
  readonly pages: number;
  /** Fewest pages that take half, 90 % and 99 % of the writes. */
  readonly hot50: number;
  readonly hot90: number;
  readonly hot99: number;
}

/** Leaves of one size, each with what was written to it. */
class Leaves {
  readonly bytes: number;
  /** Pages of a leaf, log2. */
  readonly order: number;
  /** Leaf by number of its page; undefined for pages themselves. */
  leaf: Int32Array | undefined;
  readonly index: PageIndex | undefined;
  /** By leaf: the last interval in which it was written. */
  interval = new Int32Array(1024).fill(-1);

  constructor(shift: number) {
    this.bytes = 2 ** shift;
    this.order = shift - PAGE_SHIFT;
    this.index = this.order === 0 ? undefined : new PageIndex();
    this.leaf = this.order === 0 ? undefined : new Int32Array(1024);
  }
}

/** Which leaves of each size the written pages lie in. Pages are numbered by the caller. */
export class LeafSets {
  readonly #sizes: readonly Leaves[] = LEAF_SHIFTS.map((shift) => new Leaves(shift));
  #pages = 0;

  get bytes(): readonly number[] {
    return this.#sizes.map(({ bytes }) => bytes);
  }

  /** A page that was not seen before; `number` is one more than the last one's. */
  add(number: number, lo: number, hi: number): void {
    this.#pages = number + 1;
    const page = pageOf(lo, hi);
    for (const size of this.#sizes) {
      if (size.index === undefined || size.leaf === undefined) continue;
      const leaf = Math.floor(page / 2 ** size.order);
      const high = keyHigh(Math.floor(leaf / 2 ** 32), spaceOf(hi));
      if (number === size.leaf.length) size.leaf = doubled(size.leaf, 0);
      size.leaf[number] = size.index.of(leaf | 0, high, Number.POSITIVE_INFINITY);
    }
  }

  /** Adds one to `counts` of each leaf size whose leaf was not written in this interval before. */
  write(number: number, interval: number, counts: Float64Array): void {
    for (let i = 0; i < this.#sizes.length; i++) {
      const size = this.#sizes[i]!;
      const leaf = size.leaf === undefined ? number : size.leaf[number]!;
      while (leaf >= size.interval.length) size.interval = doubled(size.interval, -1);
      if (size.interval[leaf] === interval) continue;
      size.interval[leaf] = interval;
      counts[i]!++;
    }
  }

  /** `writes`: by number of the page. */
  hotSets(writes: Float64Array): readonly HotSet[] {
    return this.#sizes.map(({ bytes, leaf, index }) => {
      const pages = index?.size ?? this.#pages;
      const counts = new Float64Array(pages);
      for (let number = 0; number < this.#pages; number++) {
        counts[leaf === undefined ? number : leaf[number]!]! += writes[number]!;
      }
      const [hot50 = 0, hot90 = 0, hot99 = 0] = hottest(counts, [0.5, 0.9, 0.99]);
      return { pageBytes: bytes, pages, hot50, hot90, hot99 };
    });
  }
}

/** The least number of the largest counts that make up each share of all; `shares` ascending. */
function hottest(counts: Float64Array, shares: readonly number[]): number[] {
  const sorted = counts.toSorted();
  const all = sorted.reduce((sum, count) => sum + count, 0);
  let taken = 0;
  let sum = 0;
  return shares.map((share) => {
    while (taken < sorted.length && sum < share * all) sum += sorted[sorted.length - ++taken]!;
    return taken;
  });
}

export function doubled<T extends Int32Array | Float64Array>(array: T, fill: number): T {
  const next = (
    array instanceof Int32Array ? new Int32Array(array.length * 2) : new Float64Array(array.length * 2)
  ) as T;
  next.set(array);
  if (fill !== 0) next.fill(fill, array.length);
  return next;
}
