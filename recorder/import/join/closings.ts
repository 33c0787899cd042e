import type { Nanoseconds, PageNumber } from '../../../traces/units.ts';
import { enlarged } from './enlarged.ts';
import type { LiveMaps } from './live-maps.ts';

/** Numbers for each map: row, page, pages, phys, actor, time. */
const MAP = 6;
/** Closings that can still be undone when the unmap's owner turns out to be another. */
const UNDO = 1024;

/** What an unmap closed. Objects are used again and again: there is one for nearly every unmap. */
class Closed {
  row = -1;
  page: PageNumber = 0;
  pages = 0;
  time: Nanoseconds = 0;
  actor = -1;
  /** Maps that it closed. */
  count = 0;
  #maps = new Float64Array(MAP);

  /** Adds the map in a slot, which still lives. */
  add(live: LiveMaps, slot: number): void {
    const at = this.count++ * MAP;
    if (at === this.#maps.length) this.#maps = enlarged(this.#maps, Float64Array);
    const maps = this.#maps;
    maps[at] = live.row[slot]!;
    maps[at + 1] = live.page[slot]!;
    maps[at + 2] = live.pages[slot]!;
    maps[at + 3] = live.phys[slot]!;
    maps[at + 4] = live.actor[slot]!;
    maps[at + 5] = live.time[slot]!;
  }

  /** Makes the `k`-th map live again, without an owner; returns its new slot. */
  restore(live: LiveMaps, k: number): number {
    const maps = this.#maps;
    const at = k * MAP;
    const slot = live.add(maps[at + 1]!, maps[at + 2]!, maps[at + 3]!, maps[at]!);
    live.actor[slot] = maps[at + 4]!;
    live.time[slot] = maps[at + 5]!;
    return slot;
  }
}

/** The newest closings, which can still be undone. */
export class Closings {
  readonly #ring: readonly Closed[] = Array.from({ length: UNDO }, () => new Closed());
  #newest = 0;

  /** An unmap that closed nothing yet; it takes the place of the oldest. */
  begin(row: number, page: PageNumber, pages: number, time: Nanoseconds, actor: number): Closed {
    const closed = this.#ring[this.#newest++ % UNDO]!;
    closed.row = row;
    closed.page = page;
    closed.pages = pages;
    closed.time = time;
    closed.actor = actor;
    closed.count = 0;
    return closed;
  }

  /** What the unmap of this row closed; undefined if that was too long ago. */
  of(row: number): Closed | undefined {
    return this.#ring.find((closed) => closed.row === row);
  }
}
