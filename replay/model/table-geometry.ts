import type { FormatDescription } from './page-table-format.ts';

/** One size of leaf: 2^`order` entries of a table of `level`, 2^`pageBits` pages. */
export interface LeafSize {
  readonly pageBits: number;
  readonly pages: number;
  readonly level: number;
  readonly order: number;
}

const MOST_PAGE_BITS = 53;

/** Spans, index bits and leaf sizes of a format. Pages are units of its `pageShift`. */
export class TableGeometry {
  /** By level: bits of a page number below the index, and pages under one entry. */
  readonly shifts: readonly number[];
  readonly spans: readonly number[];
  /** Ascending. */
  readonly sizes: readonly LeafSize[];
  /** Index in `sizes` of the largest leaf of at most 2^i pages; -1 where none is as small. */
  readonly largest: Int8Array;
  /** 4 KiB frames of a table. */
  readonly tableFrames: number;
  readonly #description: FormatDescription;

  constructor(description: FormatDescription) {
    const { granuleShift, pageShift, indexBits, maxLevels, leafOrders, outputBits } = description;
    this.#description = description;
    this.shifts = Array.from({ length: maxLevels }, (_, level) => granuleShift - pageShift + level * indexBits);
    this.spans = this.shifts.map((shift) => 2 ** shift);
    const sizes: LeafSize[] = [];
    for (let level = 0; level < maxLevels; level++) {
      const orders = leafOrders[level] ?? 0;
      for (let order = 0; order < 32; order++) {
        const pageBits = (this.shifts[level] ?? 0) + order;
        if (((orders >>> order) & 1) === 0 || pageBits + pageShift > outputBits) continue;
        sizes.push({ pageBits, pages: 2 ** pageBits, level, order });
      }
    }
    this.sizes = sizes.sort((a, b) => a.pageBits - b.pageBits);
    this.largest = new Int8Array(MOST_PAGE_BITS + 1);
    for (let bits = 0; bits <= MOST_PAGE_BITS; bits++) {
      this.largest[bits] = sizes.findLastIndex((size) => size.pageBits <= bits);
    }
    this.tableFrames = 1 << Math.max(0, indexBits + 3 - 12);
  }

  /** Bits that index the root of a table with `levels` levels. */
  rootBits(levels: number): number {
    const { indexBits, maxLevels, inputBits, pageShift } = this.#description;
    if (levels < maxLevels) return indexBits;
    return inputBits - pageShift - (this.shifts[levels - 1] ?? 0);
  }

  /** 4 KiB frames of that root: more than one table's where Arm's stage 2 concatenates. */
  rootFrames(levels: number): number {
    return 1 << Math.max(0, this.rootBits(levels) + 3 - 12);
  }

  /** Leaf size by its address bits; undefined where the format has none such. */
  sizeOf(leafShift: number): LeafSize | undefined {
    const bits = leafShift - this.#description.pageShift;
    return this.sizes.find((size) => size.pageBits === bits);
  }
}
