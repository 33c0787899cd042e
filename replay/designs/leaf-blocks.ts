import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { FlushRange } from './domain-flush.ts';
import { heldIn } from './held-numbers.ts';

/** Blocks of one mapping that are followed one by one; leaves behind them are taken for small ones. */
const MOST_BLOCKS = 1 << 16;

/** Which blocks of a domain's address space large leaves map, as a page table puts them: where both addresses are aligned. */
export class LeafBlocks {
  /** log2 of 4 KiB pages of the leaf sizes, largest first, without the smallest. */
  readonly #orders: readonly number[];
  readonly #smallest: number;
  readonly #blocks = new Map<DomainId, readonly Set<number>[]>();

  /** `orders`: log2 of 4 KiB pages of the leaf sizes, ascending. */
  constructor(orders: readonly number[]) {
    this.#smallest = orders[0] ?? 0;
    this.#orders = orders.slice(1).reverse();
  }

  map(domain: DomainId, first: PageNumber, last: PageNumber, offset: number): void {
    let sets = this.#blocks.get(domain);
    if (last - first + 1 < 2 ** (this.#orders.at(-1) ?? 52)) {
      if (sets === undefined) return;
    } else if (sets === undefined) {
      sets = this.#orders.map(() => new Set<number>());
      this.#blocks.set(domain, sets);
    }
    let left = MOST_BLOCKS;
    for (let page = first; page <= last && left > 0; left--) {
      const level = this.#orders.findIndex(
        (order) => page % 2 ** order === 0 && (page + offset) % 2 ** order === 0 && page + 2 ** order - 1 <= last,
      );
      const order = this.#orders[level] ?? this.#orders.at(-1) ?? 52;
      const block = Math.floor(page / 2 ** order);
      if (level >= 0) sets[level]?.add(block);
      else sets.at(-1)?.delete(block);
      page = (block + 1) * 2 ** order;
    }
  }

  /** The leaves of pages that are being unmapped, neighbours of one size together, appended to `ranges`. */
  unmap(domain: DomainId, first: PageNumber, last: PageNumber, freedTable: number, ranges: FlushRange[]): void {
    const sets = this.#blocks.get(domain);
    if (sets === undefined || sets.every((set) => set.size === 0)) {
      ranges.push({ first, last, freedTable, order: this.#smallest });
      return;
    }
    const leaves = this.#orders.flatMap((order, level) => {
      const set = sets[level] ?? new Set<number>();
      return heldIn(set, Math.ceil(first / 2 ** order), Math.floor(last / 2 ** order)).map((block) => {
        set.delete(block);
        return { first: block * 2 ** order, last: (block + 1) * 2 ** order - 1, freedTable, order };
      });
    });
    leaves.sort((a, b) => a.first - b.first);
    let from = first;
    for (const leaf of leaves) {
      if (leaf.first < from) continue;
      if (from < leaf.first) ranges.push({ first: from, last: leaf.first - 1, freedTable, order: this.#smallest });
      ranges.push(leaf);
      from = leaf.last + 1;
    }
    if (from <= last) ranges.push({ first: from, last, freedTable, order: this.#smallest });
  }
}
