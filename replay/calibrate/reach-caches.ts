import type { PageNumber } from '../../traces/units.ts';
import { DROP } from '../model/iotlb.ts';
import { SetAssociativeIotlb } from '../model/set-associative-iotlb.ts';
import type { Geometry } from '../model/set-associative-iotlb.ts';
import { WalkCaches } from '../model/walk-caches.ts';
import type { PipelineTranslation } from '../time/dma-pipeline.ts';

/** Caches of a unit, as far as a reach curve can tell. Tables have 4 levels of 512 entries, leaves 4 KiB. */
export interface ReachGeometry {
  readonly sets: number;
  readonly ways: number;
  /** `SET_INDEX` and `REPLACEMENT` values. */
  readonly index: number;
  readonly replacement: number;
  /** Entries of the paging-structure caches of levels 1 to 3: pointers to tables that map 2 MiB, 1 GiB, 512 GiB. */
  readonly walkCaches: readonly [number, number, number];
}

export const REACH_LEVELS = 4;
const LEVEL_BITS = 9;
/** First page of every window: 4 GiB, on a boundary of all tables but the root. */
export const FIRST_PAGE: PageNumber = 0x10_0000;
const TAG = 1;

const ignore = (): void => {};

/** The model's own caches over tables in which every page is mapped. */
export class ReachCaches implements PipelineTranslation {
  readonly #iotlb: SetAssociativeIotlb;
  readonly #walks: WalkCaches;

  constructor(geometry: ReachGeometry, seed: number) {
    this.#iotlb = new SetAssociativeIotlb(iotlbOf(geometry, seed), ignore);
    this.#walks = new WalkCaches(REACH_LEVELS, geometry.walkCaches, (level) => LEVEL_BITS * level, new Int32Array(1));
  }

  lookup(page: PageNumber): boolean {
    return this.#iotlb.lookup(TAG, page | 0, 0) >= 0;
  }

  walk(page: PageNumber): number {
    return this.#walks.walk(TAG, 0, -1, 0, page | 0, 0, REACH_LEVELS);
  }

  /** As if new. */
  reset(): void {
    this.#iotlb.dropAll(DROP.reset);
    this.#walks.dropAll(DROP.reset);
  }

  fill(page: PageNumber): void {
    this.#iotlb.insert(TAG, 0, -1, 0, page | 0, 0, 0, 0);
  }
}

/** Keeps the caches of the geometry that was asked for last: making them takes longer than a short simulation. */
export class ReachCachePool {
  #key = '';
  #caches: ReachCaches | undefined;

  /** Empty caches of a geometry; those given out before are not used any more. */
  take(geometry: ReachGeometry): ReachCaches {
    const key = `${geometry.sets} ${geometry.ways} ${geometry.index} ${geometry.replacement} ${geometry.walkCaches.join(' ')}`;
    if (this.#caches === undefined || key !== this.#key) {
      this.#key = key;
      this.#caches = new ReachCaches(geometry, 1);
    } else this.#caches.reset();
    return this.#caches;
  }
}

function iotlbOf({ sets, ways, index, replacement }: ReachGeometry, seed: number): Geometry {
  return { banks: [{ sets, ways, fromOrder: 0 }], index, replacement, seed, refillInvalidFirst: true };
}

/** What a random read of a window costs a geometry, once its caches are filled. */
export interface ReachOdds {
  /** Share of the reads that miss the IOTLB. */
  readonly miss: number;
  /** Table reads of a walk. */
  readonly walkReads: number;
}

/**
 * The same without a simulation, for one read at a time. A set that more of the window's pages belong to than it has ways holds
 * as many of them as it has ways, whatever is replaced, and each page is as likely as any other; so the share of hits is exact for
 * every replacement. Pointers likewise: each table serves an equal part of the pages, so the share that is cached is its hit rate
 * (the walks of a page that has just been replaced make it a little less than exact).
 */
export function reachOdds(geometry: ReachGeometry, pages: number): ReachOdds {
  const { sets, ways, walkCaches } = geometry;
  const held = sets === 1 ? Math.min(ways, pages) : heldOf(geometry, pages);
  let walkReads = 1;
  let missed = 1;
  for (let level = 1; level < REACH_LEVELS; level++) {
    const tables = Math.ceil(pages / 2 ** (LEVEL_BITS * level));
    missed *= 1 - Math.min(1, (walkCaches[level - 1] ?? 0) / tables);
    walkReads += missed;
  }
  return { miss: 1 - held / pages, walkReads };
}

/** With so many pages for each entry no set is left with room, however pages are hashed. */
const CROWDED = 8;

/** Pages of the window that are cached at once: each set holds what belongs to it, or as many as it has ways. */
function heldOf(geometry: ReachGeometry, pages: number): number {
  const entries = geometry.sets * geometry.ways;
  if (pages >= CROWDED * entries) return entries;
  const iotlb = new SetAssociativeIotlb(iotlbOf(geometry, 0), ignore);
  for (let i = 0; i < pages; i++) iotlb.insert(TAG, 0, -1, 0, (FIRST_PAGE + i) | 0, 0, 0, 0);
  return iotlb.entries.count;
}
