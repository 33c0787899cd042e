import { CALL } from '../../../traces/schema.ts';
import type { BytesColumn } from '../../../traces/schema.ts';
import type { Nanoseconds, PageNumber, RequesterId } from '../../../traces/units.ts';
import { enlarged } from './enlarged.ts';

/** A `dma:*` event and the map or unmap that it speaks of are no further apart. */
export const CLAIM_WINDOW: Nanoseconds = 200_000_000;
/** Maps that wait for their `dma:*` event on one task and CPU, at most. */
const WAITING = 4096;
const ROW = 5;
/** Scatter-gather lists mapped and not unmapped, at most. */
const LISTS = 1 << 20;

/** Maps or unmaps of one task on one CPU that no `dma:*` event has claimed yet, oldest first. */
class Unclaimed {
  /** `ROW` numbers each: page, pages, time, row, slot. Never shrinks, so that nothing is allocated for what is soon claimed. */
  #rows = new Float64Array(ROW);
  #count = 0;

  push(page: PageNumber, pages: number, time: Nanoseconds, row: number, slot: number): void {
    // Half at once, so that a row is moved but a few times.
    const old = this.#count >= 64 && time - this.#rows[(this.#count >> 1) * ROW + 2]! > CLAIM_WINDOW;
    if (old || this.#count >= WAITING) this.#expire(time);
    const at = this.#count++ * ROW;
    if (at === this.#rows.length) this.#rows = enlarged(this.#rows, Float64Array);
    const rows = this.#rows;
    rows[at] = page;
    rows[at + 1] = pages;
    rows[at + 2] = time;
    rows[at + 3] = row;
    rows[at + 4] = slot;
  }

  /** Claims, latest first, what lies in or covers the range until all of it is covered. */
  claim(page: PageNumber, pages: number, time: Nanoseconds, device: RequesterId, claimed: Claim): boolean {
    let left = pages;
    const rows = this.#rows;
    for (let k = this.#count - 1; k >= 0 && left > 0; k--) {
      const at = k * ROW;
      if (time - rows[at + 2]! > CLAIM_WINDOW) break;
      const start = rows[at]!;
      const end = start + rows[at + 1]!;
      const shared = Math.min(end, page + pages) - Math.max(start, page);
      if (shared <= 0) continue;
      left -= shared;
      claimed(rows[at + 3]!, rows[at + 4]!, device);
      this.#remove(k, 1);
    }
    return left < pages;
  }

  #expire(time: Nanoseconds): void {
    let old = this.#count >= WAITING ? WAITING / 2 : 0;
    while (old < this.#count && time - this.#rows[old * ROW + 2]! > CLAIM_WINDOW) old++;
    this.#remove(0, old);
  }

  #remove(at: number, count: number): void {
    const behind = (at + count) * ROW;
    const end = this.#count * ROW;
    if (behind < end) this.#rows.copyWithin(at * ROW, behind, end);
    this.#count -= count;
  }
}

interface Actor {
  readonly maps: Unclaimed;
  readonly unmaps: Unclaimed;
  /** `dma_free` is announced before its unmap. */
  freed: { page: PageNumber; pages: number; device: RequesterId; time: Nanoseconds } | undefined;
}

/** A map or unmap was made by a `dma:*` event of `device`. `slot` is -1 for an unmap. */
export type Claim = (row: number, slot: number, device: RequesterId) => void;

export interface DmaClaims {
  readonly map: Claim;
  readonly unmap: Claim;
}

/**
 * Joins `dma:*` events to the maps and unmaps that they made. Both are logged by the same task on the same CPU: the map, then
 * `dma_map_*`; the unmap, its flush, then `dma_unmap_*` (drivers/iommu/dma-iommu.c, kernel/dma/mapping.c). An interrupt
 * handler runs as the task that it interrupts and nests, so the latest that fits is the right one.
 */
export class DmaApi {
  readonly #claims: DmaClaims;
  readonly #actors: (Actor | undefined)[] = [];
  readonly #lists = new Map<string, { page: PageNumber; pages: number }[]>();
  events = 0;
  unclaimed = 0;

  constructor(claims: DmaClaims) {
    this.#claims = claims;
  }

  #actor(actor: number): Actor {
    let found = this.#actors[actor];
    if (found === undefined) {
      found = { maps: new Unclaimed(), unmaps: new Unclaimed(), freed: undefined };
      this.#actors[actor] = found;
    }
    return found;
  }

  mapped(actor: number, page: PageNumber, pages: number, time: Nanoseconds, row: number, slot: number): void {
    this.#actor(actor).maps.push(page, pages, time, row, slot);
  }

  unmapped(actor: number, page: PageNumber, pages: number, time: Nanoseconds, row: number): void {
    const mine = this.#actor(actor);
    const { freed } = mine;
    if (freed?.page === page && freed.pages === pages && time - freed.time <= CLAIM_WINDOW) {
      mine.freed = undefined;
      this.#claims.unmap(row, -1, freed.device);
      return;
    }
    mine.unmaps.push(page, pages, time, row, -1);
  }

  /** A `dma_map_*` or `dma_alloc*` event: bytes `address` to `address + size` for `device`. */
  mapEvent(
    actor: number,
    call: number,
    device: RequesterId,
    address: number,
    size: number,
    time: Nanoseconds,
    list: Uint8Array,
  ): void {
    this.events++;
    const page = Math.floor(address / 4096);
    const pages = Math.max(1, Math.ceil((address + size) / 4096) - page);
    if (call === CALL.sg && list.length > 0) {
      const key = listKey(device, list);
      const known = this.#lists.get(key);
      if (known !== undefined) known.push({ page, pages });
      else if (this.#lists.size < LISTS) this.#lists.set(key, [{ page, pages }]);
    }
    const { maps } = this.#actor(actor);
    const ranges = call === CALL.sg ? dmaRanges(list) : null;
    let found = false;
    if (ranges === null) found = maps.claim(page, pages, time, device, this.#claims.map);
    else {
      for (const range of ranges) {
        if (maps.claim(range.page, range.pages, time, device, this.#claims.map)) found = true;
      }
    }
    if (!found) this.unclaimed++;
  }

  /** A `dma_unmap_*` or `dma_free*` event. An `sg` has no address: it is found by the physical addresses of its list. */
  unmapEvent(
    actor: number,
    call: number,
    device: RequesterId,
    address: number,
    size: number,
    time: Nanoseconds,
    list: Uint8Array,
  ): void {
    this.events++;
    let page = Math.floor(address / 4096);
    let pages = Math.max(1, Math.ceil((address + size) / 4096) - page);
    if (call === CALL.sg) {
      const key = listKey(device, list);
      const known = this.#lists.get(key);
      const range = known?.pop();
      if (known?.length === 0) this.#lists.delete(key);
      if (range === undefined) {
        this.unclaimed++;
        return;
      }
      ({ page, pages } = range);
    }
    const mine = this.#actor(actor);
    if (mine.unmaps.claim(page, pages, time, device, this.#claims.unmap)) return;
    if (call === CALL.alloc) mine.freed = { page, pages, device, time };
    else this.unclaimed++;
  }
}

/** Address ranges of a `list` column (traces/sg-list.ts) in pages; null where it holds none. */
function dmaRanges(list: Uint8Array): { page: PageNumber; pages: number }[] | null {
  if (list.length < 8) return null;
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const count = view.getUint32(0, true);
  if (count === 0 || count > (list.length - 8) / 16) return null;
  const ranges: { page: PageNumber; pages: number }[] = [];
  for (let k = 0; k < count; k++) {
    const at = 8 + 16 * k;
    const address = view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x100000000;
    const size = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 0x100000000;
    const page = Math.floor(address / 4096);
    ranges.push({ page, pages: Math.max(1, Math.ceil((address + size) / 4096) - page) });
  }
  return ranges;
}

/** Device and physical addresses of a list, as two hashes. */
function listKey(device: RequesterId, list: Uint8Array): string {
  if (list.length < 8) return '';
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const segments = view.getUint32(0, true);
  const physical = view.getUint32(4, true);
  const start = 8 + 16 * segments;
  if (segments > list.length || physical > list.length || start + 8 * physical > list.length) return '';
  let a = physical;
  let b = device;
  for (let at = start; at + 4 <= start + 8 * physical; at += 4) {
    const word = view.getUint32(at, true);
    a = Math.imul(a ^ word, 0x85ebca6b) + 1;
    b = Math.imul(b ^ (b >>> 15) ^ word, 0xc2b2ae35) + 7;
  }
  return `${device} ${physical} ${a} ${b}`;
}

/** The bytes of a row of a byte-string column, without a copy. */
export function bytesAt(column: BytesColumn | undefined, row: number): Uint8Array {
  if (column === undefined) return EMPTY;
  const start = column.offsets[row] ?? 0;
  const end = column.offsets[row + 1] ?? 0;
  return end > start ? column.data.subarray(start, end) : EMPTY;
}

const EMPTY = new Uint8Array(0);
