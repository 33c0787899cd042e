import type { Segment } from '../../traces/segment.ts';
import type { Nanoseconds, PageNumber } from '../../traces/units.ts';
import { eachAddress } from './event-addresses.ts';

/** Blocks of addresses at most; beyond, blocks become twice as large. */
const MOST_BLOCKS = 64;
/** Log2 of the pages of the largest block: all addresses. */
const LARGEST = 52;

/** How often each block of addresses was named in each part of a stretch of time. */
export interface AddressHeat {
  readonly from: Nanoseconds;
  readonly to: Nanoseconds;
  readonly bins: number;
  /** Bytes of a block: a power of two. */
  readonly blockBytes: number;
  /** First page of each block that was named, ascending. */
  readonly blocks: readonly PageNumber[];
  /** By block, then by part. */
  readonly cells: Uint32Array;
}

/** Fills as segments come. The size of a block is the smallest at which so many hold all addresses. */
export class AddressMap {
  readonly #from: Nanoseconds;
  readonly #to: Nanoseconds;
  readonly #bins: number;
  #order = 0;
  #blocks = new Map<number, Uint32Array>();

  constructor(from: Nanoseconds, to: Nanoseconds, bins: number) {
    this.#from = from;
    this.#to = to;
    this.#bins = bins;
  }

  add(segment: Segment): void {
    const perNs = this.#bins / Math.max(1, this.#to - this.#from);
    let before = -1;
    let row: Uint32Array = new Uint32Array(0);
    eachAddress(segment, (page, time) => {
      if (!(time >= this.#from && time <= this.#to)) return;
      const bin = Math.min(this.#bins - 1, Math.floor((time - this.#from) * perNs));
      const block = Math.floor(page / 2 ** this.#order);
      if (block !== before) {
        row = this.#rowOf(page);
        before = Math.floor(page / 2 ** this.#order);
      }
      row[bin]!++;
    });
  }

  #rowOf(page: PageNumber): Uint32Array {
    for (;;) {
      const block = Math.floor(page / 2 ** this.#order);
      const known = this.#blocks.get(block);
      if (known !== undefined) return known;
      if (this.#blocks.size < MOST_BLOCKS || this.#order === LARGEST) {
        const fresh = new Uint32Array(this.#bins);
        this.#blocks.set(block, fresh);
        return fresh;
      }
      this.#enlarge();
    }
  }

  #enlarge(): void {
    this.#order++;
    const larger = new Map<number, Uint32Array>();
    for (const [block, row] of this.#blocks) {
      const own = larger.get(Math.floor(block / 2));
      if (own === undefined) larger.set(Math.floor(block / 2), row);
      else for (let i = 0; i < row.length; i++) own[i]! += row[i]!;
    }
    this.#blocks = larger;
  }

  heat(): AddressHeat {
    const ordered = [...this.#blocks].sort(([a], [b]) => a - b);
    const cells = new Uint32Array(ordered.length * this.#bins);
    ordered.forEach(([, row], i) => cells.set(row, i * this.#bins));
    return {
      from: this.#from,
      to: this.#to,
      bins: this.#bins,
      blockBytes: 4096 * 2 ** this.#order,
      blocks: ordered.map(([block]) => block * 2 ** this.#order),
      cells,
    };
  }
}

/** The parts `first` to `last` of a map, `every` together; blocks without any are left out. */
export function coarserHeat(heat: AddressHeat, first: number, last: number, every: number): AddressHeat {
  const bins = Math.max(1, Math.ceil((last - first) / every));
  const rows = heat.blocks.map((page, block) => {
    const row = new Uint32Array(bins);
    for (let i = first; i < last; i++) row[Math.floor((i - first) / every)]! += heat.cells[block * heat.bins + i]!;
    return { page, row };
  });
  const named = rows.filter(({ row }) => row.some((count) => count > 0));
  const cells = new Uint32Array(named.length * bins);
  named.forEach(({ row }, i) => cells.set(row, i * bins));
  const width = (heat.to - heat.from) / heat.bins;
  return {
    from: heat.from + first * width,
    to: heat.from + (first + bins * every) * width,
    bins,
    blockBytes: heat.blockBytes,
    blocks: named.map(({ page }) => page),
    cells,
  };
}
