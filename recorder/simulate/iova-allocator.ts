import type { PageNumber } from '../../traces/units.ts';
import { IovaRanges } from './iova-ranges.ts';

/** Ranges that one magazine holds (drivers/iommu/iova.c, IOVA_MAG_SIZE). */
const MAGAZINE = 127;
/** Orders that are cached: ranges of 1 to 32 pages (IOVA_RANGE_CACHE_MAX_SIZE). */
const CACHED_ORDERS = 6;

/** What one CPU keeps of one order. */
interface CpuCache {
  loaded: PageNumber[];
  prev: PageNumber[];
}

interface OrderCache {
  readonly cpus: CpuCache[];
  /** Full magazines that no CPU holds. */
  readonly depot: PageNumber[][];
}

/**
 * Linux's allocator of I/O virtual addresses (drivers/iommu/iova.c): freed ranges go into a stack of the CPU that frees them, and
 * the newest is handed out first. A CPU has two magazines of each order; what is more goes to a depot that all share, and from
 * there, once it is full, back to the tree. Where pages are mapped on one CPU and unmapped on another, or in another order,
 * neighbours drift apart, and stay so.
 */
export class IovaAllocator {
  readonly #ranges: IovaRanges;
  readonly #orders: OrderCache[];
  readonly #depotLimit: number;

  /**
   * `depotLimit`: magazines in the depot of each order. 32 up to Linux 6.6 (MAX_GLOBAL_MAGS); later kernels have no limit, and
   * trim to one magazine a CPU while nothing happens.
   */
  constructor(cpus: number, top: PageNumber, depotLimit: number) {
    this.#ranges = new IovaRanges(top);
    this.#depotLimit = depotLimit;
    this.#orders = Array.from({ length: CACHED_ORDERS }, () => ({
      cpus: Array.from({ length: cpus }, () => ({ loaded: [], prev: [] })),
      depot: [],
    }));
  }

  /** First page of a range for a caller on a CPU. */
  allocate(cpu: number, pages: number): PageNumber {
    const cache = this.#cacheOf(pages);
    if (cache === undefined) return this.#ranges.insert(pages);
    const own = ownOf(cache, cpu);
    if (own.loaded.length === 0) {
      if (own.prev.length > 0) swap(own);
      else own.loaded = cache.depot.pop() ?? own.loaded;
    }
    return own.loaded.pop() ?? this.#ranges.insert(2 ** orderOf(pages));
  }

  release(cpu: number, first: PageNumber, pages: number): void {
    const cache = this.#cacheOf(pages);
    if (cache === undefined) {
      this.#ranges.remove(first);
      return;
    }
    const own = ownOf(cache, cpu);
    if (own.loaded.length === MAGAZINE) {
      if (own.prev.length < MAGAZINE) swap(own);
      else {
        if (cache.depot.length < this.#depotLimit) cache.depot.push(own.loaded);
        else for (const page of own.loaded) this.#ranges.remove(page);
        own.loaded = [];
      }
    }
    own.loaded.push(first);
  }

  #cacheOf(pages: number): OrderCache | undefined {
    return this.#orders[orderOf(pages)];
  }
}

function orderOf(pages: number): number {
  return Math.ceil(Math.log2(pages));
}

function ownOf(cache: OrderCache, cpu: number): CpuCache {
  const own = cache.cpus[cpu];
  if (own === undefined) throw new RangeError(`no CPU ${cpu}`);
  return own;
}

function swap(own: CpuCache): void {
  [own.loaded, own.prev] = [own.prev, own.loaded];
}
