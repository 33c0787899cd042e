import { ABSENT } from '../../traces/units.ts';
import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { MapIntent, Placement, TableWriter, UnmapIntent } from '../designs/design.ts';
import { heldIn } from '../designs/held-numbers.ts';
import { ENDED } from '../model/exposure.ts';
import type { ExposureTotals } from '../model/exposure.ts';
import { MAP_RESULT, UNMAP_RESULT } from '../model/machine.ts';
import type { Machine } from '../model/machine.ts';
import type { OverMapped, StaleCounts } from '../results.ts';
import type { AddressReuse } from './address-reuse.ts';

const TWO_20 = 0x100000;
/** Pages of a 2 MiB leaf, so that one that goes is looked up once. */
const BLOCK = 512;
/** Pages of one mapping that are followed: 4 GiB. */
const MOST_PAGES = 1 << 20;

/** Pages of a domain that a placement has a say in. */
interface Space {
  /** Placed pages that mappings ask for, and how many do. */
  readonly asked: Map<PageNumber, number>;
  /** Placed pages that the tables hold although they were unmapped, and since when: by block of `BLOCK` pages. */
  readonly kept: Map<number, Map<PageNumber, Nanoseconds>>;
}

/**
 * The page tables of a run whose design says where mappings lie and what stays of them. What the intents say is the truth: a page that
 * was unmapped and is still in the tables is exposed whether it is cached or not, and an access to it is stale.
 */
export class PlacedTables implements TableWriter {
  /** Of the newest call of `place`: an empty lower table gave way to a large leaf. */
  replaced = false;
  /** The newest call of `place` or `remove` wrote the tables. */
  changed = false;
  /** 4 KiB pages that intents unmapped. */
  unmappedPages = 0;
  readonly #machine: Machine;
  readonly #reuse: AddressReuse;
  readonly #placement: Placement;
  readonly #totals: ExposureTotals;
  readonly #spaces = new Map<DomainId, Space>();
  #time: Nanoseconds = 0;
  #event = -1;
  /** Pages written and cleared by the call that is under way. */
  #written = 0;
  /** Pages in the tables that no mapping asks for: now, at most, and by time. */
  #over = 0;
  #mostOver = 0;
  #overPageNs = 0;
  #stale = 0;
  #maxAgeNs: Nanoseconds = 0;

  constructor(machine: Machine, reuse: AddressReuse, placement: Placement, totals: ExposureTotals) {
    this.#machine = machine;
    this.#reuse = reuse;
    this.#placement = placement;
    this.#totals = totals;
  }

  /** Puts a recorded mapping where the design wants it; returns the first page of its place. */
  place(intent: MapIntent): PageNumber {
    this.#begin(intent.time, -1);
    const { domain, first, last } = intent;
    const place = this.#placement.map(intent, this);
    const pages = last - first + 1;
    this.#reuse.put(domain, first, pages, place);
    if (place !== first && pages <= MOST_PAGES) this.#addOver(this.#written - this.#ask(domain, place, pages));
    return place;
  }

  /** Lets the design take away what is to go of placed pages; returns 1 if a lower table went. */
  remove(intent: UnmapIntent, event: number): number {
    this.#begin(intent.time, event);
    const { domain, first, last } = intent;
    this.unmappedPages += last - first + 1;
    const space = this.#spaces.get(domain);
    if (space?.asked.has(first) !== true) return this.#placement.unmap(intent, this);
    const free: PageNumber[] = [];
    for (const page of heldIn(space.asked, first, last)) {
      const asked = (space.asked.get(page) ?? 0) - 1;
      if (asked > 0) space.asked.set(page, asked);
      else if (space.asked.delete(page)) free.push(page);
    }
    const freed = this.#placement.unmap(intent, this);
    this.#addOver(this.#written + free.length);
    for (const page of free) {
      if (this.#machine.translate(domain, ((page % TWO_20) << 12) | 0, Math.floor(page / TWO_20) | 0) < 0) continue;
      this.#keep(space, page);
    }
    return freed;
  }

  map(domain: DomainId, first: PageNumber, last: PageNumber, offset: number, prot: number): void {
    const done = this.#machine.map(
      this.#time,
      domain,
      low(first),
      high(first),
      low(first + offset),
      high(first + offset),
      low(last - first + 1),
      high(last - first + 1),
      prot,
    );
    this.changed = true;
    this.#written += last - first + 1;
    if ((done & MAP_RESULT.freedTable) !== 0) this.replaced = true;
  }

  unmap(domain: DomainId, first: PageNumber, last: PageNumber): number {
    const pages = last - first + 1;
    this.changed = true;
    this.#written -= pages;
    const kept = this.#spaces.get(domain)?.kept;
    if (kept !== undefined && kept.size > 0) this.#release(kept, first, last, ENDED.command);
    const done = this.#machine.unmap(this.#time, domain, low(first), high(first), low(pages), high(pages), this.#event);
    return (done & UNMAP_RESULT.freedTable) !== 0 ? 1 : 0;
  }

  /** A device used a page, given by its place. */
  accessed(time: Nanoseconds, domain: DomainId, page: PageNumber): void {
    if (domain === ABSENT) return;
    const since = this.#spaces
      .get(domain)
      ?.kept.get(Math.floor(page / BLOCK))
      ?.get(page);
    if (since === undefined) return;
    this.#stale++;
    this.#maxAgeNs = Math.max(this.#maxAgeNs, time - since);
  }

  /** Closes what is still kept. `stale` adds the accesses to kept pages to the machine's own, which were served from a cache. */
  finish(time: Nanoseconds): { readonly overMapped: OverMapped; readonly stale: (own: StaleCounts) => StaleCounts } {
    this.#begin(time, -1);
    for (const { kept } of this.#spaces.values()) {
      for (const block of kept.values()) {
        for (const since of block.values()) this.#totals.end(time - since, 1, ENDED.open);
      }
      kept.clear();
    }
    return {
      overMapped: { maxPages: this.#mostOver, pageSeconds: this.#overPageNs / 1e9 },
      stale: ({ translations, maxAgeNs }) => ({
        translations: translations + this.#stale,
        maxAgeNs: Math.max(maxAgeNs, this.#maxAgeNs),
      }),
    };
  }

  #begin(time: Nanoseconds, event: number): void {
    if (time > this.#time) {
      this.#overPageNs += this.#over * (time - this.#time);
      this.#time = time;
    }
    this.#event = event;
    this.#written = 0;
    this.changed = false;
    this.replaced = false;
  }

  /** Pages of a mapping; returns how many nobody had asked for before. */
  #ask(domain: DomainId, first: PageNumber, pages: number): number {
    let space = this.#spaces.get(domain);
    if (space === undefined) {
      space = { asked: new Map(), kept: new Map() };
      this.#spaces.set(domain, space);
    }
    const { asked, kept } = space;
    let fresh = 0;
    for (let page = first; page < first + pages; page++) {
      const before = asked.get(page) ?? 0;
      asked.set(page, before + 1);
      if (before === 0) fresh++;
    }
    if (kept.size > 0) this.#release(kept, first, first + pages - 1, ENDED.remap);
    return fresh;
  }

  #keep({ kept }: Space, page: PageNumber): void {
    const block = Math.floor(page / BLOCK);
    let pages = kept.get(block);
    if (pages === undefined) {
      pages = new Map();
      kept.set(block, pages);
    }
    pages.set(page, this.#time);
    this.#totals.begin(1);
  }

  /** Exposures of kept pages in a range end. */
  #release(kept: Space['kept'], first: PageNumber, last: PageNumber, how: number): void {
    for (const block of heldIn(kept, Math.floor(first / BLOCK), Math.floor(last / BLOCK))) {
      const pages = kept.get(block);
      if (pages === undefined) continue;
      if (pages.size <= last - first) {
        for (const [page, since] of pages) if (page >= first && page <= last) this.#end(pages, page, since, how);
      } else {
        for (let page = first; page <= last; page++) {
          const since = pages.get(page);
          if (since !== undefined) this.#end(pages, page, since, how);
        }
      }
      if (pages.size === 0) kept.delete(block);
    }
  }

  #end(pages: Map<PageNumber, Nanoseconds>, page: PageNumber, since: Nanoseconds, how: number): void {
    pages.delete(page);
    this.#totals.end(this.#time - since, 1, how);
  }

  #addOver(pages: number): void {
    this.#over += pages;
    if (this.#over > this.#mostOver) this.#mostOver = this.#over;
  }
}

function low(page: PageNumber): number {
  return ((page % TWO_20) << 12) | 0;
}

function high(page: PageNumber): number {
  return Math.floor(page / TWO_20) | 0;
}
