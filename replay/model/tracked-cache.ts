import type { Nanoseconds } from '../../traces/units.ts';
import type { CacheCounts } from '../results.ts';
import type { CacheEntries } from './cache-entries.ts';
import type { EntryMatch } from './entry-match.ts';
import type { ExposureTotals } from './exposure.ts';
import type { Invalidatable } from './hardware-caches.ts';
import type { DropListener, Iotlb } from './iotlb.ts';
import { MissCauses } from './miss-causes.ts';
import { SetAssociativeIotlb, withoutSets } from './set-associative-iotlb.ts';
import type { Geometry } from './set-associative-iotlb.ts';
import { Staleness } from './staleness.ts';

/** What the caches of a unit share: the time, the kind of the command at work, and who is told of drops. */
export interface CacheWatch {
  /** Now, in element 0. */
  readonly clock: Float64Array;
  /** Kind of the command at work, in element 0: its type number in its dialect. */
  readonly kind: Int32Array;
  /** Called for each entry before it goes; `why` is a `DROP` value. */
  readonly onDrop?: ((slot: number, why: number, cache: TrackedCache) => void) | undefined;
}

/** One translation cache with its staleness oracle and the causes of its misses. */
export class TrackedCache implements Invalidatable {
  readonly name: string;
  readonly cache: Iotlb;
  readonly entries: CacheEntries;
  readonly staleness: Staleness;
  readonly causes: MissCauses;
  /** Fully associative, same capacity and replacement: what would have hit there was a conflict. */
  readonly shadow: SetAssociativeIotlb | undefined;
  lookups = 0;
  hits = 0;

  /** `geometry`: of a set-associative cache, else undefined. */
  constructor(
    name: string,
    watch: CacheWatch,
    totals: ExposureTotals,
    geometry: Geometry | undefined,
    make: (onDrop: DropListener) => Iotlb = (onDrop) => new SetAssociativeIotlb(geometry!, onDrop),
  ) {
    this.name = name;
    const { clock, kind, onDrop } = watch;
    this.cache = make((slot, why) => {
      this.causes.dropped(slot, why, kind[0]!);
      if (entries.suspect[slot] !== 0) staleness.dropped(slot, why, clock[0]!);
      if (onDrop !== undefined) onDrop(slot, why, this);
    });
    const { entries } = this.cache;
    const staleness = new Staleness(entries, totals);
    this.entries = entries;
    this.staleness = staleness;
    const several =
      geometry !== undefined && (geometry.banks.length > 1 || geometry.banks.some(({ sets }) => sets > 1));
    this.shadow = several ? new SetAssociativeIotlb(withoutSets(geometry), () => undefined) : undefined;
    this.causes = new MissCauses(entries, this.shadow);
  }

  /** Slot of a page's translation, or -1; counted. */
  lookup(tag: number, pageLo: number, pageHi: number): number {
    this.lookups++;
    const slot = this.cache.lookup(tag, pageLo, pageHi);
    if (slot >= 0) {
      this.hits++;
      if (this.shadow !== undefined) this.shadow.lookup(tag, pageLo, pageHi);
    }
    return slot;
  }

  /** A miss that is filled: its cause is counted. Returns the slot. The page is aligned to its order. */
  fill(
    tag: number,
    domain: number,
    pasid: number,
    order: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
  ): number {
    const record = this.causes.missed(tag, order, pageLo, pageHi);
    const slot = this.cache.insert(tag, domain, pasid, order, pageLo, pageHi, outLo, outHi);
    this.causes.filled(slot, record);
    const { shadow } = this;
    if (shadow !== undefined && shadow.lookup(tag, pageLo, pageHi) < 0) {
      shadow.insert(tag, domain, pasid, order, pageLo, pageHi, 0, 0);
    }
    return slot;
  }

  dropAll(why: number): number {
    if (this.shadow !== undefined) this.shadow.dropAll(why);
    return this.cache.dropAll(why);
  }

  dropMatching(match: EntryMatch, why: number): number {
    if (this.shadow !== undefined) this.shadow.dropMatching(match, why);
    return this.cache.dropMatching(match, why);
  }

  dropPages(match: EntryMatch, pageLo: number, pageHi: number, order: number, why: number): number {
    if (this.shadow !== undefined) this.shadow.dropPages(match, pageLo, pageHi, order, why);
    return this.cache.dropPages(match, pageLo, pageHi, order, why);
  }

  report(names: (kind: number) => string): CacheCounts {
    return this.causes.report(this.lookups, this.hits, names);
  }

  /** Ends what is still exposed. */
  close(time: Nanoseconds, how: number): void {
    this.staleness.close(time, how);
  }
}
