import type { PageNumber } from '../../../traces/units.ts';

/** The contiguous maps of a task that no other request of its interrupts. */
interface Run {
  /** Number of each map's request. */
  readonly requests: number[];
  readonly starts: PageNumber[];
  end: PageNumber;
}

/** A longer list is not one call of the DMA API. */
const MOST = 4096;

/**
 * Finds scatter-gather lists among a guest's maps: the kernel logs each piece, but synchronises once behind the last
 * (drivers/iommu/iommu.c, `iommu_map_sg`). That pieces are of one list is known from the DMA API's own event, which covers
 * them all: pieces next to each other may as well be calls of their own.
 */
export class MapLists {
  readonly #runs = new Map<number, Run>();

  /** A task's map, by the number of its request. */
  map(task: number, request: number, page: PageNumber, pages: number): void {
    const run = this.#runs.get(task);
    if (run?.end === page && run.requests.length < MOST) {
      run.requests.push(request);
      run.starts.push(page);
      run.end = page + pages;
    } else this.#runs.set(task, { requests: [request], starts: [page], end: page + pages });
  }

  /** Anything else that a task asks for. */
  other(task: number): void {
    this.#runs.delete(task);
  }

  /** The DMA API returns a mapping of `pages` pages to a task: the requests that were its pieces, in order; none if one was. */
  returned(task: number, page: PageNumber, pages: number): readonly number[] {
    const run = this.#runs.get(task);
    this.#runs.delete(task);
    if (run === undefined || run.end !== page + pages) return [];
    const first = run.starts.indexOf(page);
    return first < 0 || first === run.requests.length - 1 ? [] : run.requests.slice(first);
  }
}
