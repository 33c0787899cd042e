import { ZipfSampler, permutation } from '../../recorder/simulate/zipf-sampler.ts';
import { Random } from '../../traces/random.ts';
import { LIMIT_OPERATION } from './limit-trace.ts';
import {
  BURST,
  DESCRIPTOR_EVERY,
  DONE_PAGES,
  FIRST_PAGE,
  MOST_BURST_EVENTS,
  RINGS,
  RING_PAGES,
  RingWalk,
} from './ring-walk.ts';

/** A stream of the speed limit: its events and its mapped pages, as the words that the C program reads. */
export interface LimitStream {
  readonly maps: Uint8Array;
  readonly events: Uint8Array;
}

/** One shape of stream, and the share of the C program's speed that a replay of it is to reach. */
export interface LimitShape {
  readonly name: string;
  readonly about: string;
  readonly goal: number;
  generate(events: number, random: Random): LimitStream;
}

/** Words as they are written one after the other. */
class Words {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  count = 0;

  constructor(capacity: number) {
    this.#words = new Int32Array(capacity * 2);
    this.bytes = new Uint8Array(this.#words.buffer);
  }

  get full(): boolean {
    return this.count * 2 >= this.#words.length;
  }

  /** Pages are below 2^32 here. */
  add(operation: number, pages: number, page: number, domain: number): void {
    const at = this.count++ * 2;
    this.#words[at] = operation | (pages << 4) | (page << 12);
    this.#words[at + 1] = (page >>> 20) | (domain << 16);
  }
}

const WRITES_SEED = 2;

/** Bursts of a `RingWalk`, as words: those of the `dma` shape, as many as are wanted at a time. */
export class RingEvents {
  readonly #walk: RingWalk;
  readonly #writes = new Random(WRITES_SEED);

  constructor(random: Random) {
    this.#walk = new RingWalk(random);
  }

  /** The words of some bursts, at most so many; of a burst that is cut the rest never comes. */
  next(bursts: number, limit: number): Uint8Array {
    const words = new Words(Math.min(limit, bursts * MOST_BURST_EVENTS));
    for (let b = 0; b < bursts && !words.full; b++) this.#add(words);
    return words.bytes.subarray(0, words.count * 8);
  }

  #add(words: Words): void {
    const walk = this.#walk;
    const add = (operation: number, pages: number, page: number): void => {
      if (!words.full) words.add(operation, pages, page, walk.ring);
    };
    walk.next();
    for (let k = 0; k < BURST; k++) {
      if (k % DESCRIPTOR_EVERY === 0) add(LIMIT_OPERATION.read, 0, FIRST_PAGE + RING_PAGES);
      add(this.#writes.below(2), 0, FIRST_PAGE + walk.page(k));
    }
    if (walk.invalidates) add(LIMIT_OPERATION.invalidateRange, DONE_PAGES, FIRST_PAGE + walk.donePage);
  }
}

/** The pages of the rings, all mapped. */
export function ringMaps(): Uint8Array {
  const maps = new Words(RINGS * (RING_PAGES + 1));
  for (let ring = 0; ring < RINGS; ring++) {
    for (let page = 0; page <= RING_PAGES; page++) maps.add(0, 0, FIRST_PAGE + page, ring);
  }
  return maps.bytes;
}

/** Rings of pages, eight accesses to a page, a descriptor page beside each; 16 pages are invalidated when they are done. */
function rings(events: number, random: Random): LimitStream {
  return { maps: ringMaps(), events: new RingEvents(random).next(events, events) };
}

/** Pages of Zipf-like popularity over some domains; of a thousand events `invalidations` drop 1 to 64 pages, or a domain. */
function popular(pages: number, alpha: number, domains: number, invalidations: number): LimitShape['generate'] {
  return (events, random) => {
    const each = Math.ceil(pages / domains);
    const maps = new Words(pages);
    for (let p = 0; p < pages; p++) maps.add(0, 0, FIRST_PAGE + (p % each), Math.floor(p / each));
    const sampler = new ZipfSampler(pages, alpha);
    const place = permutation(pages, random);
    const words = new Words(events);
    while (!words.full) {
      const p = place[sampler.next(random)]!;
      const page = FIRST_PAGE + (p % each);
      const domain = Math.floor(p / each);
      if (random.below(1000) >= invalidations) words.add(random.below(2), 0, page, domain);
      else if (random.below(200) === 0) words.add(LIMIT_OPERATION.invalidateDomain, 0, page, domain);
      else words.add(LIMIT_OPERATION.invalidateRange, 1 + random.below(64), page, domain);
    }
    return { maps: maps.bytes, events: words.bytes };
  };
}

/** The five shapes, by the names of the speed limit. */
export const LIMIT_SHAPES: readonly LimitShape[] = [
  { name: 'pure', about: '128 pages, all hits', goal: 0.8, generate: popular(128, 0, 4, 0) },
  { name: 'dma', about: '16 rings, a range invalidated every 16 pages', goal: 0.8, generate: rings },
  { name: 'hot', about: '200 pages, 1% invalidations', goal: 0.8, generate: popular(200, 0, 4, 10) },
  { name: 'z12', about: 'Zipf 1.2 over 65,536 pages', goal: 0.8, generate: popular(65536, 1.2, 16, 10) },
  { name: 'z10', about: 'Zipf 1.0 over a million pages', goal: 0.6, generate: popular(1_000_000, 1, 16, 10) },
];
