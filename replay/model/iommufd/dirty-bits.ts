import type { Area } from './area-tree.ts';
import { PAGE_SIZE } from './backing.ts';
import type { Backing } from './backing.ts';
import type { HwptPaging } from './hwpt.ts';

/** An entry of a domain's table: where it starts and ends (inclusive) in its area, and the bytes of each of its items. */
export interface TableEntry {
  /** Bytes from the area's start. */
  readonly start: number;
  readonly last: number;
  /** A size between those of two levels is made of equal items, one a slot (AMD v1: NextLevel 7). */
  readonly itemBytes: number;
}

/** Largest entry that is looked for; pages are never known to be contiguous over more. */
const LARGEST = 2 ** 30;

/** Dirty entries of a domain by area. What is unmapped takes its dirty state with it. */
export class DirtyBits {
  readonly #hwpt: HwptPaging;
  #dirty = new WeakMap<Area, Set<number>>();

  constructor(hwpt: HwptPaging) {
    this.#hwpt = hwpt;
  }

  /** SET_DIRTY_TRACKING ENABLE reads and clears everything first. */
  clearAll(): void {
    this.#dirty = new WeakMap();
  }

  /** A device wrote: the entry that maps the address is dirty. */
  set(area: Area, iova: bigint): void {
    if (area.pages.gone) return;
    const entry = this.entry(area, Number(iova - area.start));
    let set = this.#current(area);
    if (set === undefined) {
      set = new Set();
      this.#dirty.set(area, set);
    }
    set.add(entry.start);
  }

  /** The area is cut between entries; the table stays as it is. */
  split(area: Area, parts: readonly Area[]): void {
    for (const start of this.starts(area)) {
      const iova = area.start + BigInt(start);
      const part = parts.find((candidate) => candidate.start <= iova && candidate.last >= iova);
      if (part !== undefined) this.set(part, iova);
    }
  }

  any(area: Area): boolean {
    return (this.#current(area)?.size ?? 0) > 0;
  }

  /** Starts of dirty entries of an area. */
  starts(area: Area): number[] {
    return [...(this.#current(area) ?? [])].sort((a, b) => a - b);
  }

  clear(area: Area, start: number): void {
    this.#current(area)?.delete(start);
  }

  #current(area: Area): Set<number> | undefined {
    return area.pages.gone ? undefined : this.#dirty.get(area);
  }

  /** Table slots that map bytes `from` to `to` of an area, both inclusive; undefined: more than `most`. */
  slots(area: Area, from: number, to: number, most: number): number | undefined {
    let count = 0;
    for (let at = from; at <= to; ) {
      const { start, last, itemBytes } = this.entry(area, at);
      count += Math.max(1, (last - start + 1) / itemBytes);
      if (count > most) return undefined;
      at = last + 1;
    }
    return count;
  }

  /**
   * The entry that maps a byte of an area: the largest block of a size that the format has, aligned in IOVA and in physical
   * address, that lies in the physically contiguous pages around it (generic_pt, pt_compute_best_pgsize).
   */
  entry(area: Area, offset: number): TableEntry {
    const { pageSizes } = this.#hwpt.domain;
    const small = this.#hwpt.ioas.noLargePages || area.smallIn?.has(this.#hwpt.domain) === true;
    const start = Number(area.start);
    const length = Number(area.last - area.start) + 1;
    let best = { start: offset, size: 1 };
    for (let size = smallestOf(pageSizes); size <= LARGEST; size *= 2) {
      if ((pageSizes & BigInt(size)) === 0n) continue;
      if (small && size > PAGE_SIZE) break;
      const at = Math.floor((start + offset) / size) * size - start;
      if (at < 0 || at + size > length) break;
      if (!contiguous(area, at, size)) break;
      best = { start: at, size };
    }
    return { start: best.start, last: best.start + best.size - 1, itemBytes: itemOf(best.size) };
  }
}

function smallestOf(pageSizes: bigint): number {
  return Number(pageSizes & -pageSizes);
}

/** Levels of the mock's variant of AMD v1: 2 KiB, 1 MiB, 512 MiB, ... */
function itemOf(size: number): number {
  let item = 2 ** 11;
  while (item * 2 ** 9 <= size) item *= 2 ** 9;
  return item;
}

/** Whether the bytes are one aligned physical block. */
function contiguous(area: Area, at: number, size: number): boolean {
  const byte = area.startByte + at;
  if (size <= PAGE_SIZE) {
    // Inside one page everything is contiguous; alignment in the page decides.
    return byte % size === 0 && Math.floor(byte / PAGE_SIZE) === Math.floor((byte + size - 1) / PAGE_SIZE);
  }
  if (byte % PAGE_SIZE !== 0) return false;
  const first = area.pages.physical(byte / PAGE_SIZE);
  if (first === undefined) return false;
  const frame = frameOf(first.backing, first.page);
  if (frame === undefined || (frame * PAGE_SIZE) % size !== 0) return false;
  const pages = size / PAGE_SIZE;
  for (let i = pagesToHead(first); i < pages; ) {
    const next = area.pages.physical(byte / PAGE_SIZE + i);
    if (next === undefined || frameOf(next.backing, next.page) !== frame + i) return false;
    i += pagesToHead(next);
  }
  return true;
}

/** Pages from one to the end of its huge page: those are contiguous without a look at each. */
function pagesToHead({ backing, page }: { readonly backing: Backing; readonly page: number }): number {
  if (backing.hugeShift === 0) return 1;
  const pages = 2 ** backing.hugeShift / PAGE_SIZE;
  return pages - (page % pages);
}

/** Physical frame of a page, where it is known; inside a huge page the distance is certain even where the frame isn't. */
function frameOf(backing: Backing, page: number): number | undefined {
  const known = backing.frames?.get(page);
  if (known !== undefined) return known;
  if (backing.hugeShift === 0) return undefined;
  const pages = 2 ** backing.hugeShift / PAGE_SIZE;
  const head = Math.floor(page / pages);
  const first = backing.frames?.get(head * pages);
  // Made-up frames, far apart, so that neighbouring huge pages never look contiguous.
  return (first ?? backing.id * 2 ** 28 + head * 2 * pages) + (page % pages);
}
