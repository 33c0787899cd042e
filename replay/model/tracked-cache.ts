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
  /** By slot its entry's in the shadow, and the other way round; -1: not there. */
  readonly #twin: Int32Array;
  readonly #owner: Int32Array;
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
      if (onDrop !== undefined) onDrop(slot, why, this);
      this.causes.dropped(slot, why, kind[0]!);
      if (entries.suspect[slot] !== 0) staleness.dropped(slot, why, clock[0]!);
      if (shadow !== undefined) {
        if (twin[slot]! >= 0) owner[twin[slot]!] = -1;
        twin[slot] = -1;
      }
    });
    const { entries } = this.cache;
    const staleness = new Staleness(entries, totals);
    this.entries = entries;
    this.staleness = staleness;
    const several =
      geometry !== undefined && (geometry.banks.length > 1 || geometry.banks.some(({ sets }) => sets > 1));
    const twin = new Int32Array(several ? entries.capacity : 0).fill(-1);
    const owner = twin.slice();
    const shadow = several
      ? new SetAssociativeIotlb(withoutSets(geometry), (slot) => {
          if (owner[slot]! >= 0) twin[owner[slot]!] = -1;
          owner[slot] = -1;
        })
      : undefined;
    this.shadow = shadow;
    this.#twin = twin;
    this.#owner = owner;
    this.causes = new MissCauses(entries, this.shadow);
  }

  /** Slot of a page's translation, or -1; counted. */
  lookup(tag: number, pageLo: number, pageHi: number): number {
    this.lookups++;
    const slot = this.cache.lookup(tag, pageLo, pageHi);
    if (slot >= 0) {
      this.hits++;
      if (this.shadow !== undefined) this.touchShadow(slot);
    }
    return slot;
  }

  /** A lookup hit this slot: the shadow sees it too. */
  touchShadow(slot: number): void {
    const twin = this.#twin[slot]!;
    if (twin >= 0) this.shadow!.touch(twin);
    else this.#copyToShadow(slot);
  }

  /** A slot was filled after a miss: the shadow has the same, or gets it. */
  fillShadow(slot: number, tag: number, pageLo: number, pageHi: number): void {
    const twin = this.shadow!.lookup(tag, pageLo, pageHi);
    if (twin < 0) {
      this.#copyToShadow(slot);
      return;
    }
    // what the shadow had under a larger page may belong to another slot
    if (this.#owner[twin]! >= 0) this.#twin[this.#owner[twin]!] = -1;
    this.#twin[slot] = twin;
    this.#owner[twin] = slot;
  }

  /** Puts what a slot holds into the shadow, which lacks it. */
  #copyToShadow(slot: number): void {
    const { entries } = this;
    const twin = this.shadow!.insert(
      entries.tagOf(slot),
      entries.domainOf(slot),
      entries.pasidOf(slot),
      entries.orderOf(slot),
      entries.pageLoOf(slot),
      entries.pageHiOf(slot),
      0,
      0,
    );
    this.#twin[slot] = twin;
    this.#owner[twin] = slot;
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
    if (this.shadow !== undefined) this.fillShadow(slot, tag, pageLo, pageHi);
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
