import type { DomainId, PageNumber } from '../../traces/units.ts';

/** Distance of the places to which a mapping can be moved: 64 GiB, so that the sets of a cache and large leaves stay the same. */
const STEP = 2 ** 24;
/** Pages of one range that are followed one by one. */
const MOST_PAGES = 4096;

/** Told of one run of pages that lie at the same distance from where they were recorded. */
export type RunOfPages = (first: PageNumber, pages: number) => void;

interface Space {
  /** Recorded page to the number of steps by which it was moved, where that is not 0. */
  readonly moved: Map<PageNumber, number>;
  /** Pages (as moved) that must not be mapped yet. */
  readonly held: Set<PageNumber>;
}

/**
 * The addresses of a recording are those that its own allocator handed out. A design that holds addresses back longer (a flush
 * queue) would have handed out others: a mapping at pages that are still held is moved to the next free place, and unmaps and
 * accesses follow it. Nothing moves as long as the design holds nothing.
 */
export class AddressReuse {
  /** Mappings that were moved. */
  movedMaps = 0;
  readonly #spaces = new Map<DomainId, Space>();
  readonly #holds = new Map<number, { readonly space: Space; readonly pages: readonly PageNumber[] }>();
  /** Pages of the address space; places wrap around in it. */
  readonly #size: number;
  #next = 1;

  /** `levels` of the page tables: 9 bits of page number each. */
  constructor(levels: number) {
    this.#size = 2 ** (9 * levels);
  }

  /** Pages that were unmapped may not be mapped again until `release` of the number returned. */
  hold(domain: DomainId, first: PageNumber, last: PageNumber): number {
    const space = this.#space(domain);
    const pages: PageNumber[] = [];
    const end = Math.min(last, first + MOST_PAGES - 1);
    for (let page = first; page <= end; page++) {
      const place = this.#place(space, page);
      if (space.held.has(place)) continue;
      space.held.add(place);
      pages.push(place);
    }
    this.#holds.set(this.#next, { space, pages });
    return this.#next++;
  }

  release(hold: number): void {
    const found = this.#holds.get(hold);
    if (found === undefined) return;
    this.#holds.delete(hold);
    for (const page of found.pages) found.space.held.delete(page);
  }

  /** Where pages that are being mapped go. */
  map(domain: DomainId, first: PageNumber, pages: number): PageNumber {
    const space = this.#spaces.get(domain);
    if (space === undefined) return first;
    const { held, moved } = space;
    const followed = Math.min(pages, MOST_PAGES);
    const most = Math.max(1, Math.floor(this.#size / STEP));
    let steps = 0;
    if (held.size > 0) while (steps < most && this.#isHeld(held, first, followed, steps)) steps++;
    if (steps === most) steps = 0;
    if (steps > 0) this.movedMaps++;
    if (steps > 0 || moved.size > 0) {
      for (let page = first; page < first + followed; page++) {
        if (steps === 0) moved.delete(page);
        else moved.set(page, steps);
      }
    }
    return this.#at(first, steps);
  }

  /** Cuts recorded pages into runs that lie together now. */
  runs(domain: DomainId, first: PageNumber, pages: number, run: RunOfPages): void {
    const space = this.#spaces.get(domain);
    if (space === undefined || space.moved.size === 0) {
      run(first, pages);
      return;
    }
    let from = first;
    let steps = space.moved.get(first) ?? 0;
    const end = first + pages;
    for (let page = first + 1; page < Math.min(end, first + MOST_PAGES); page++) {
      const next = space.moved.get(page) ?? 0;
      if (next === steps) continue;
      run(this.#at(from, steps), page - from);
      from = page;
      steps = next;
    }
    run(this.#at(from, steps), end - from);
  }

  /** Where a recorded page is now, or was until its unmap. */
  page(domain: DomainId, page: PageNumber): PageNumber {
    const space = this.#spaces.get(domain);
    return space === undefined || space.moved.size === 0 ? page : this.#place(space, page);
  }

  #isHeld(held: ReadonlySet<PageNumber>, first: PageNumber, pages: number, steps: number): boolean {
    for (let i = 0; i < pages; i++) if (held.has(this.#at(first + i, steps))) return true;
    return false;
  }

  #place(space: Space, page: PageNumber): PageNumber {
    return this.#at(page, space.moved.get(page) ?? 0);
  }

  #at(page: PageNumber, steps: number): PageNumber {
    return steps === 0 ? page : (page + steps * STEP) % this.#size;
  }

  #space(domain: DomainId): Space {
    let space = this.#spaces.get(domain);
    if (space === undefined) {
      space = { moved: new Map(), held: new Set() };
      this.#spaces.set(domain, space);
    }
    return space;
  }
}
