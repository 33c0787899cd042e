import { AreaNode, highOf, joined, lowOf } from './area-node.ts';
import type { Pages } from './pages.ts';

export const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** A mapped range of IOVAs (struct iopt_area). Both ends inclusive. */
export class Area {
  /** Both ends as words, `| 0`: a million areas are a million objects, not three. */
  readonly startHi: number;
  readonly startLo: number;
  readonly lastHi: number;
  readonly lastLo: number;
  readonly pages: Pages;
  /** Byte of `pages` at `start`. */
  readonly startByte: number;
  /** 1 READ, 2 WRITE. */
  readonly prot: number;
  /** Pins of accesses in the area. */
  accesses = 0;
  /** Held by hardware queues: UNMAP is EBUSY. */
  locks = 0;
  /** Domains that were filled page by page, because large pages were off then. */
  smallIn: Set<object> | undefined = undefined;
  /** Being unmapped. */
  preventAccess = false;

  constructor(start: bigint, last: bigint, pages: Pages, startByte: number, prot: number) {
    this.startHi = highOf(start) | 0;
    this.startLo = lowOf(start) | 0;
    this.lastHi = highOf(last) | 0;
    this.lastLo = lowOf(last) | 0;
    this.pages = pages;
    this.startByte = startByte;
    this.prot = prot;
  }

  get start(): bigint {
    return joined(this.startHi, this.startLo);
  }

  get last(): bigint {
    return joined(this.lastHi, this.lastLo);
  }

  get length(): bigint {
    return this.last - this.start + 1n;
  }

  /** Whether an access may read, or write, by the area's protection. */
  allows(write: boolean): boolean {
    return (this.prot & (write ? 2 : 1)) !== 0;
  }

  /** Pages of `pages` that the area covers, both inclusive. */
  get firstPage(): number {
    return Math.floor(this.startByte / 4096);
  }

  get lastPage(): number {
    return Math.floor((this.startByte + this.#distance(this.lastHi, this.lastLo)) / 4096);
  }

  /** Byte of `pages` behind an address of the area. */
  byteAt(iova: bigint): number {
    return this.startByte + this.#distance(highOf(iova), lowOf(iova));
  }

  #distance(hi: number, lo: number): number {
    return ((hi >>> 0) - (this.startHi >>> 0)) * 2 ** 32 + (lo >>> 0) - (this.startLo >>> 0);
  }
}

/** By what part of a length a distance as a number may be off, with room to spare. */
const SLACK = 1 - 2 ** -50;

/** Areas of an IOAS by address, none over another: every operation is logarithmic. */
export class AreaTree {
  #root = new AreaNode(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  insert(area: Area): void {
    const more = this.#root.insert(area);
    if (more !== undefined) this.#root = AreaNode.above(this.#root, more);
    this.#size++;
  }

  remove(area: Area): void {
    if (!this.#root.remove(area)) return;
    this.#size--;
    while (this.#root.height > 0 && this.#root.count <= 1) this.#root = this.#root.nodes[0] ?? new AreaNode(0);
  }

  /** The first area that intersects [start, last]. */
  first(start: bigint, last: bigint): Area | undefined {
    const hi = highOf(start);
    const lo = lowOf(start);
    let node = this.#root;
    while (node.height > 0) {
      const next = node.nodes[node.at(hi, lo)];
      if (next === undefined) return undefined;
      node = next;
    }
    const index = node.at(hi, lo);
    return node.beginsBy(index, highOf(last), lowOf(last)) ? node.areas[index] : undefined;
  }

  /** Ascending. */
  values(): Generator<Area> {
    return valuesOf(this.#root);
  }

  /** Levels of nodes above areas. */
  get height(): number {
    return this.#root.height + 1;
  }

  /** The first run of free addresses that ends at or after `from` and has at least `length` addresses from there on. */
  gap(from: bigint, length: bigint): { readonly start: bigint; readonly last: bigint } | undefined {
    const found = this.#root.gap(-1n, from, length, Number(length) * SLACK);
    if (found !== undefined) return found;
    const after = this.#root.count === 0 ? 0n : this.#root.last + 1n;
    const start = after > from ? after : from;
    return U64_MAX - start + 1n >= length ? { start, last: U64_MAX } : undefined;
  }
}

function* valuesOf(node: AreaNode): Generator<Area> {
  if (node.height === 0) yield* node.areas;
  else for (const child of node.nodes) yield* valuesOf(child);
}
