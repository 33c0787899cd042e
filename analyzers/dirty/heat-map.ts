import type { Nanoseconds } from '../../traces/units.ts';
import { PAGE_BYTES } from './leaf-sets.ts';
import { pageOf, spaceOf } from './page-index.ts';
import type { PageIndex } from './page-index.ts';

/** Bands of addresses at most. */
const MOST_BANDS = 64;

/** A block of addresses in which something was written. Blocks without writes are no bands. */
export interface HeatBand {
  readonly space: string;
  /** First address, hexadecimal. */
  readonly start: string;
  /** By part of the time: different pages written. */
  readonly pages: readonly number[];
}

export interface HeatMap {
  readonly startNs: Nanoseconds;
  readonly binNs: Nanoseconds;
  /** Bytes of a band's block: the smallest power of two at which 64 bands hold all that was written. */
  readonly blockBytes: number;
  /** By address space, then by address. */
  readonly bands: readonly HeatBand[];
}

/** Which page was written in which part of the time: pairs without repetition. */
export interface PageBins {
  readonly length: number;
  readonly pages: Int32Array;
  readonly bins: Int32Array;
}

interface Block {
  readonly space: number;
  /** First page. */
  readonly page: number;
}

/** Written pages of each address space, ascending. */
function pagesBySpace(index: PageIndex): ReadonlyMap<number, Float64Array> {
  const sizes = new Map<number, number>();
  for (let i = 0; i < index.size; i++) {
    const space = spaceOf(index.hi(i));
    sizes.set(space, (sizes.get(space) ?? 0) + 1);
  }
  const pages = new Map([...sizes].sort(([a], [b]) => a - b).map(([space, size]) => [space, new Float64Array(size)]));
  for (let i = 0; i < index.size; i++) {
    const space = spaceOf(index.hi(i));
    const left = (sizes.get(space) ?? 0) - 1;
    sizes.set(space, left);
    const list = pages.get(space);
    if (list !== undefined) list[left] = pageOf(index.lo(i), index.hi(i));
  }
  for (const list of pages.values()) list.sort();
  return pages;
}

/** Highest bit in which two page numbers differ. */
function highestDifference(a: number, b: number): number {
  const high = Math.floor(a / 2 ** 32) ^ Math.floor(b / 2 ** 32);
  return high !== 0 ? 63 - Math.clz32(high) : 31 - Math.clz32((a | 0) ^ (b | 0));
}

/** Log2 of the pages of a block, so that there are few enough blocks. Neighbours are in one block from the bit on in which they differ. */
function blockOrder(spaces: ReadonlyMap<number, Float64Array>): number {
  const differences = new Float64Array(64);
  for (const pages of spaces.values()) {
    for (let i = 1; i < pages.length; i++) differences[highestDifference(pages[i - 1]!, pages[i]!)]!++;
  }
  let order = 52;
  let blocks = spaces.size;
  while (order > 0 && blocks + differences[order - 1]! <= MOST_BANDS) blocks += differences[--order]!;
  return order;
}

/** Picks the bands and counts the pages of each by time. More than 64 address spaces: the first 64. */
export function heatMap(
  index: PageIndex,
  written: PageBins,
  time: { readonly startNs: Nanoseconds; readonly binNs: Nanoseconds; readonly bins: number },
  nameOf: (space: number) => string,
): HeatMap {
  const spaces = pagesBySpace(index);
  const order = blockOrder(spaces);
  const blocks: Block[] = [];
  for (const [space, pages] of spaces) {
    for (const page of pages) {
      const first = Math.floor(page / 2 ** order) * 2 ** order;
      const last = blocks.at(-1);
      if (last?.space !== space || last.page !== first) blocks.push({ space, page: first });
    }
  }
  const shown = blocks.slice(0, MOST_BANDS);
  const bands = shown.map(() => new Array<number>(time.bins).fill(0));
  const bandOf = new Int32Array(index.size);
  for (let i = 0; i < index.size; i++) {
    bandOf[i] = find(
      shown,
      spaceOf(index.hi(i)),
      Math.floor(pageOf(index.lo(i), index.hi(i)) / 2 ** order) * 2 ** order,
    );
  }
  for (let i = 0; i < written.length; i++) {
    const band = bands[bandOf[written.pages[i]!]!];
    const bin = written.bins[i]!;
    if (band !== undefined) band[bin] = (band[bin] ?? 0) + 1;
  }
  return {
    startNs: time.startNs,
    binNs: time.binNs,
    blockBytes: 2 ** order * PAGE_BYTES,
    bands: shown.map(({ space, page }, i) => ({
      space: nameOf(space),
      start: `0x${(BigInt(page) * BigInt(PAGE_BYTES)).toString(16)}`,
      pages: bands[i] ?? [],
    })),
  };
}

/** Place of a block in the list, which is ordered; -1 where it is not in it. */
function find(blocks: readonly Block[], space: number, page: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const block = blocks[middle]!;
    if (block.space < space || (block.space === space && block.page < page)) low = middle + 1;
    else high = middle;
  }
  const found = blocks[low];
  return found?.space === space && found.page === page ? low : -1;
}
