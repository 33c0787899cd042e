import type { PageNumber } from '../../traces/units.ts';
import type { DesignContext } from './design.ts';

/**
 * First page of the part of an address space where designs place mappings: the second quarter, as many pages long. Recorded
 * addresses lie below it, and the upper half may want its sign bits extended.
 */
export function zoneStart({ addressBits }: Pick<DesignContext, 'addressBits'>): PageNumber {
  return 2 ** (addressBits - 14);
}

/**
 * Aligned ranges of a domain's address space, each a power of two of pages: the one given back last is handed out first, as Linux's
 * per-CPU caches do (drivers/iommu/iova.c), so that page tables and walk caches stay small.
 */
export class IovaZone {
  readonly #end: PageNumber;
  #next: PageNumber;
  /** By log2 of pages. */
  readonly #free: PageNumber[][] = [];

  constructor(context: Pick<DesignContext, 'addressBits'>) {
    this.#next = zoneStart(context);
    this.#end = 2 * this.#next;
  }

  /** First page of a free range of 2^order pages; -1 if there is none left. */
  take(order: number): PageNumber {
    const free = this.#free[order]?.pop();
    if (free !== undefined) return free;
    const size = 2 ** order;
    const first = Math.ceil(this.#next / size) * size;
    if (first + size > this.#end) return -1;
    this.#next = first + size;
    return first;
  }

  give(first: PageNumber, order: number): void {
    let free = this.#free[order];
    if (free === undefined) {
      free = [];
      this.#free[order] = free;
    }
    free.push(first);
  }
}
