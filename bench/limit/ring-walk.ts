import type { Random } from '../../traces/random.ts';

/** First page of everything that is mapped. */
export const FIRST_PAGE = 0x100000;
export const RINGS = 16;
/** Pages of a ring; the one behind them holds its descriptors. */
export const RING_PAGES = 4096;
/** Accesses of a burst; before the first and every further so many a descriptor is read. */
export const BURST = 32;
export const DESCRIPTOR_EVERY = 16;
/** Events of a burst at most: accesses, descriptors, an invalidation. */
export const MOST_BURST_EVENTS: number = BURST + BURST / DESCRIPTOR_EVERY + 1;
/** Accesses to a page, one after the other; bursts begin with a page. */
export const ACCESSES_PER_PAGE = 8;
/** Pages that are invalidated together when they are done. */
export const DONE_PAGES = 16;

/** What the `dma` shape does: bursts over rings of pages, each ring a device's, in the order of a random choice. */
export class RingWalk {
  /** Ring of the burst at hand, and accesses that it had before. */
  ring = 0;
  #before = 0;
  readonly #random: Random;
  readonly #accesses = new Int32Array(RINGS);

  constructor(random: Random) {
    this.#random = random;
  }

  /** The next burst. */
  next(): void {
    const ring = this.#random.below(RINGS);
    this.ring = ring;
    this.#before = this.#accesses[ring]!;
    this.#accesses[ring] = this.#before + BURST;
  }

  /** Page of the ring of the burst's k-th access. */
  page(k: number): number {
    return ((this.#before + k) >>> 3) % RING_PAGES;
  }

  /** Whether pages are done with the burst. */
  get invalidates(): boolean {
    return (this.#before + BURST) % (DONE_PAGES * ACCESSES_PER_PAGE) === 0;
  }

  /** The first of them. */
  get donePage(): number {
    return ((this.#before + BURST) / ACCESSES_PER_PAGE - DONE_PAGES) % RING_PAGES;
  }

  get events(): number {
    return this.invalidates ? MOST_BURST_EVENTS : MOST_BURST_EVENTS - 1;
  }
}
