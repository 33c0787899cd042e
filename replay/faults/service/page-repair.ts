import type { Nanoseconds } from '../../../traces/units.ts';
import type { FaultArrivals } from './fault-arrivals.ts';
import type { FaultCosts } from './fault-costs.ts';
import type { FaultServiceOptions } from './fault-service-options.ts';
import type { GroupTable } from './group-table.ts';
import { RepairedPages } from './repaired-pages.ts';

const HUGE_PAGES = 512;

/** What is brought in when a group is repaired, and which later requests that saves. */
export class PageRepair {
  readonly #options: FaultServiceOptions;
  readonly #arrivals: FaultArrivals;
  readonly #costs: FaultCosts;
  readonly #table: GroupTable;
  readonly #repaired = new RepairedPages();
  /** Own copy: pages that came with others are taken out of their groups. */
  readonly #page: Float64Array | undefined;
  prefetched = 0;
  prefetchUsed = 0;
  entriesWritten = 0;

  constructor(options: FaultServiceOptions, table: GroupTable) {
    this.#options = options;
    this.#arrivals = options.arrivals;
    this.#costs = options.costs;
    this.#table = table;
    this.#page = options.arrivals.pages?.page.slice();
  }

  /** Requests of a group whose pages have not come with others; they are moved to its beginning. */
  wanted(group: number): number {
    const { requestsFrom, pages } = this.#arrivals;
    const page = this.#page;
    if (requestsFrom === undefined) return 1;
    const first = requestsFrom[group]!; // in range, like the next
    const last = requestsFrom[group + 1]!;
    if (page === undefined || pages === undefined || this.#repaired.size === 0) return last - first;
    let kept = first;
    for (let i = first; i < last; i++) {
      if (this.#repaired.take(pages.space[i]!, page[i]!)) this.prefetchUsed++;
      else page[kept++] = page[i]!;
    }
    return kept - first;
  }

  /** Brings in a group's pages, and what comes with them; returns the ns that this adds to the service. */
  repair(slot: number): Nanoseconds {
    const { repairPages, prefetch } = this.#options;
    const arrivals = this.#arrivals;
    const table = this.#table;
    const count = table.count[slot]!; // in range, like the rest
    const page = this.#page;
    if (page === undefined || arrivals.pages === undefined) {
      this.entriesWritten += count;
      return count * this.#costs.entryNs;
    }
    const first = table.first[slot]!;
    let entries = 0;
    let extra = 0;
    let block = -1;
    for (let i = first; i < first + count; i++) {
      const own = Math.floor(page[i]! / repairPages);
      if (own === block && repairPages > 1) continue;
      block = own;
      // a block of 64 KiB is 16 entries, one of 2 MiB a single one
      entries += repairPages >= HUGE_PAGES ? 1 : repairPages;
      if (repairPages > 1) extra += this.#bring(slot, own * repairPages, repairPages);
    }
    if (prefetch > 0) {
      const behind = this.#bring(
        slot,
        repairPages > 1 ? (block + 1) * repairPages : page[first + count - 1]! + 1,
        prefetch,
      );
      extra += behind;
      entries += repairPages >= HUGE_PAGES ? Math.ceil(behind / HUGE_PAGES) : behind;
    }
    this.entriesWritten += entries;
    this.prefetched += extra;
    const each = repairPages >= HUGE_PAGES ? this.#costs.populateHugeNs : this.#costs.populateNs;
    return entries * this.#costs.entryNs + extra * each;
  }

  /** Pages of a run that were not asked for by the group itself and had not come before. */
  #bring(slot: number, from: number, pages: number): number {
    const table = this.#table;
    const page = this.#page;
    const first = table.first[slot]!; // in range, like the rest
    const count = table.count[slot]!;
    const space = this.#arrivals.pages?.space[first] ?? 0;
    let brought = 0;
    for (let at = from; at < from + pages; at++) {
      let asked = false;
      for (let i = first; i < first + count && !asked; i++) asked = page?.[i] === at;
      if (!asked && this.#repaired.add(space, at)) brought++;
    }
    return brought;
  }
}
