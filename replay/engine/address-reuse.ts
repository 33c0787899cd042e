import type { DomainId, PageNumber } from '../../traces/units.ts';

/** Places to which a mapping can be moved differ in bits from this on, 64 GiB: the sets of a cache and large leaves stay the same. */
const STEP = 2 ** 24;
/** Pages of one range that are followed one by one. */
const MOST_PAGES = 4096;

/** Told of one run of pages that lie at the same distance from where they were recorded. */
export type RunOfPages = (first: PageNumber, pages: number) => void;

/** A mapping that is too large to be followed page by page. */
interface Extent {
  readonly first: PageNumber;
  readonly last: PageNumber;
  readonly place: PageNumber;
}

interface Space {
  /** Recorded page to where it lies, unless that is where it was recorded. */
  readonly moved: Map<PageNumber, PageNumber>;
  /** The same of large mappings, newest last. */
  readonly extents: Extent[];
  /** Placed pages that must not be mapped yet. */
  readonly held: Set<PageNumber>;
  /** Releases so far. */
  released: number;
  /** By first page and size: releases and steps at the newest search. Until the next release all places before are held. */
  readonly searched: Map<number, number>;
}

/** Steps from which on a search is remembered, and the most of them. */
const FAR = 4;
const MOST_STEPS = 2 ** 21;

/**
 * Where the mappings of a recording lie for a design. Their addresses are those that the recorded allocator handed out. A design that
 * holds addresses back longer (a flush queue) would have handed out others: a mapping at pages that are still held is moved to the
 * next free place. One with an allocator of its own (`Placement`) puts mappings where it wants. Unmaps and accesses follow.
 */
export class AddressReuse {
  /** Mappings that were moved because their pages were held. */
  movedMaps = 0;
  /** Something may lie elsewhere than where it was recorded. */
  moves = false;
  readonly #spaces = new Map<DomainId, Space>();
  /** Of each hold, by its number: whose pages, and which; numbers that were released are given out again. */
  readonly #heldIn: Space[] = [];
  readonly #heldFirst: PageNumber[] = [];
  readonly #heldLast: PageNumber[] = [];
  readonly #freeHolds: number[] = [];
  /** Pages of the address space; all places are in it. */
  readonly #size: number;

  /** `levels` of the page tables: 9 bits of page number each. */
  constructor(levels: number) {
    this.#size = 2 ** (9 * levels);
  }

  /** Pages that were unmapped, given by their place, may not be mapped again until `release` of the number returned. */
  hold(domain: DomainId, first: PageNumber, last: PageNumber): number {
    const space = this.#space(domain);
    const end = Math.min(last, first + MOST_PAGES - 1);
    for (let page = first; page <= end; page++) space.held.add(page);
    const hold = this.#freeHolds.pop() ?? this.#heldIn.length;
    this.#heldIn[hold] = space;
    this.#heldFirst[hold] = first;
    this.#heldLast[hold] = end;
    return hold;
  }

  release(hold: number): void {
    const space = this.#heldIn[hold];
    const first = this.#heldFirst[hold];
    const last = this.#heldLast[hold];
    if (space === undefined || first === undefined || last === undefined || last < first) return;
    for (let page = first; page <= last; page++) space.held.delete(page);
    space.released++;
    this.#heldLast[hold] = -1;
    this.#freeHolds.push(hold);
  }

  /** Where pages that are being mapped go if the design does not say. */
  map(domain: DomainId, first: PageNumber, pages: number): PageNumber {
    const space = this.#spaces.get(domain);
    if (space === undefined) return first;
    const steps = space.held.size === 0 ? 0 : this.#search(space, first, Math.min(pages, MOST_PAGES));
    if (steps > 0) this.movedMaps++;
    const place = this.#at(first, steps);
    this.put(domain, first, pages, place);
    return place;
  }

  /** Steps to the next free place; 0 if there is none. */
  #search(space: Space, first: PageNumber, pages: number): number {
    const { held, released, searched } = space;
    const most = Math.min(MOST_STEPS - 1, Math.max(1, Math.floor(this.#size / STEP)));
    let steps = 0;
    while (steps < FAR && steps < most && this.#isHeld(held, this.#at(first, steps), pages)) steps++;
    if (steps === FAR) {
      const key = first * 2 * MOST_PAGES + pages;
      const before = searched.get(key) ?? 0;
      if (Math.floor(before / MOST_STEPS) === released) steps = Math.max(steps, before % MOST_STEPS);
      while (steps < most && this.#isHeld(held, this.#at(first, steps), pages)) steps++;
      searched.set(key, released * MOST_STEPS + steps);
    }
    return steps === most ? 0 : steps;
  }

  /** Pages that are being mapped lie at `place` from now on. */
  put(domain: DomainId, first: PageNumber, pages: number, place: PageNumber): void {
    if (place === first && !this.moves) return;
    const { moved, extents } = this.#space(domain);
    if (place === first && moved.size === 0 && extents.length === 0) return;
    this.moves = true;
    if (pages > MOST_PAGES) {
      const last = first + pages - 1;
      for (const page of moved.keys()) if (page >= first && page <= last) moved.delete(page);
      const rest = extents.filter((extent) => extent.first < first || extent.last > last);
      extents.splice(0, extents.length, ...rest, { first, last, place });
      return;
    }
    for (let i = 0; i < pages; i++) {
      if (place === first && extents.length === 0) moved.delete(first + i);
      else moved.set(first + i, place + i);
    }
  }

  /** Cuts recorded pages into runs that lie together now. */
  runs(domain: DomainId, first: PageNumber, pages: number, run: RunOfPages): void {
    const space = this.moves ? this.#spaces.get(domain) : undefined;
    if (space === undefined) {
      run(first, pages);
      return;
    }
    const end = first + pages;
    let from = first;
    let place = placeOf(space, first);
    for (let page = first + 1; page < Math.min(end, first + MOST_PAGES); page++) {
      const next = placeOf(space, page);
      if (next - place === page - from) continue;
      run(place, page - from);
      from = page;
      place = next;
    }
    run(place, end - from);
  }

  /** Where a recorded page is now, or was until its unmap. */
  page(domain: DomainId, page: PageNumber): PageNumber {
    const space = this.moves ? this.#spaces.get(domain) : undefined;
    return space === undefined ? page : placeOf(space, page);
  }

  #isHeld(held: ReadonlySet<PageNumber>, first: PageNumber, pages: number): boolean {
    for (let i = 0; i < pages; i++) if (held.has(first + i)) return true;
    return false;
  }

  /** Bits are exchanged, not added: how many places share an entry of a page table's upper level is the same for all addresses. */
  #at(page: PageNumber, steps: number): PageNumber {
    return steps === 0 ? page : (Math.floor(page / STEP) ^ steps) * STEP + (page % STEP);
  }

  #space(domain: DomainId): Space {
    let space = this.#spaces.get(domain);
    if (space === undefined) {
      space = { moved: new Map(), extents: [], held: new Set(), released: 0, searched: new Map() };
      this.#spaces.set(domain, space);
    }
    return space;
  }
}

function placeOf({ moved, extents }: Space, page: PageNumber): PageNumber {
  const place = moved.get(page);
  if (place !== undefined) return place;
  for (let i = extents.length - 1; i >= 0; i--) {
    const { first, last, place: start } = extents[i]!; // i is in range
    if (page >= first && page <= last) return start + page - first;
  }
  return page;
}
