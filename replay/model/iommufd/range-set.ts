import { U64_MAX } from './area-tree.ts';
import type { IovaRange } from './backend.ts';

interface Owned extends IovaRange {
  readonly owner: object | undefined;
}

/** Ranges that may overlap, each with an owner; few, so a sorted array. */
export class RangeSet {
  #ranges: Owned[] = [];

  get size(): number {
    return this.#ranges.length;
  }

  add(start: bigint, last: bigint, owner: object | undefined): void {
    let at = this.#ranges.length;
    while (at > 0 && (this.#ranges[at - 1] as Owned).start > start) at--;
    this.#ranges.splice(at, 0, { start, last, owner });
  }

  removeOwner(owner: object): void {
    this.#ranges = this.#ranges.filter((range) => range.owner !== owner);
  }

  /** The first range that intersects [start, last]. */
  first(start: bigint, last: bigint): IovaRange | undefined {
    return this.#ranges.find((range) => range.start <= last && range.last >= start);
  }

  /** What no range covers in [start, last], ascending. */
  holes(start = 0n, last = U64_MAX): IovaRange[] {
    const holes: IovaRange[] = [];
    let at = start;
    for (const range of this.#ranges) {
      if (range.last < at) continue;
      if (range.start > last) break;
      if (range.start > at) holes.push({ start: at, last: range.start - 1n });
      at = range.last + 1n;
    }
    if (at <= last) holes.push({ start: at, last });
    return holes;
  }
}
