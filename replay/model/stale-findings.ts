import type { Nanoseconds } from '../../traces/units.ts';
import type { StaleCounts } from '../results.ts';
import type { StaleFinding } from './machine.ts';
import type { TrackedCache } from './tracked-cache.ts';

/** Findings that are kept. */
const KEPT = 100;

/** Accesses that were served from translations which the page tables had no more. */
export class StaleFindings {
  readonly list: StaleFinding[] = [];
  #count = 0;
  #maxAge = 0;

  /** The entry in `slot` served an access of `rid`. */
  add(cache: TrackedCache, slot: number, time: Nanoseconds, rid: number, iovaLo: number, iovaHi: number): void {
    const { ledger } = cache.staleness;
    const ageNs = Math.max(0, time - ledger.suspectSince[slot]!);
    this.#count++;
    if (ageNs > this.#maxAge) this.#maxAge = ageNs;
    if (this.list.length >= KEPT) return;
    const domain = cache.entries.domainOf(slot);
    const unmapEvent = ledger.suspectEvent[slot]!;
    this.list.push({ cache: cache.name, time, rid, domain, iovaLo: iovaLo & -0x1000, iovaHi, ageNs, unmapEvent });
  }

  report(): StaleCounts {
    return { translations: this.#count, maxAgeNs: this.#maxAge };
  }
}
