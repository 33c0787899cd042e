import type { Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { CacheEntries } from './cache-entries.ts';
import { ENDED_BY_DROP, ExposureLedger } from './exposure.ts';
import type { ExposureTotals } from './exposure.ts';
import { alignHigh, alignLow } from './iotlb.ts';
import type { PageTables } from './page-tables.ts';

const TWO_32 = 2 ** 32;

/**
 * The staleness oracle of one cache: told of every change of the page tables and of every entry that goes, it knows which
 * cached translations the tables no longer hold. Such an entry is *suspect* until it is dropped or mapped again as it was.
 */
export class Staleness {
  readonly ledger: ExposureLedger;
  readonly #entries: CacheEntries;
  #suspects = 0;

  /** `totals`: what its exposures are added to, which other caches may share. */
  constructor(entries: CacheEntries, totals: ExposureTotals) {
    this.#entries = entries;
    this.ledger = new ExposureLedger(entries.capacity, totals);
  }

  /** Pages of a domain were unmapped. */
  unmapped(domain: number, page: PageNumber, count: number, time: Nanoseconds, event: number): void {
    const entries = this.#entries;
    const cached = entries.countOfDomain(domain);
    if (cached === 0) return;
    if (count > cached) {
      for (let slot = entries.firstOfDomain(domain); slot >= 0; slot = entries.nextOfDomain(slot)) {
        if (entries.domainOf(slot) === domain) this.#unmappedSlot(slot, page, count, time, event);
      }
      return;
    }
    const { orders, countOfOrder } = entries;
    for (let o = 0; o < entries.orderCount; o++) {
      const order = orders[o]!;
      if (countOfOrder[order] === 0) continue;
      const span = 2 ** order;
      // an entry that is larger than a page is looked at once, at the first page of the range in it
      for (let at = page; at < page + count; at += span - (at % span)) {
        let slot = entries.firstOfPage(order, alignLow(at | 0, order), alignHigh((at / TWO_32) | 0, order));
        for (; slot >= 0; slot = entries.nextOfPage(slot)) {
          if (entries.domainOf(slot) === domain) this.#unmappedSlot(slot, page, count, time, event);
        }
      }
    }
  }

  /** Pages of a domain were mapped: suspects among them are no longer exposed, and if mapped as before, no longer stale. */
  mapped(domain: number, page: PageNumber, count: number, tables: PageTables, time: Nanoseconds): void {
    if (this.#suspects === 0) return;
    const entries = this.#entries;
    if (count > entries.countOfDomain(domain)) {
      for (let slot = entries.firstOfDomain(domain); slot >= 0; slot = entries.nextOfDomain(slot)) {
        if (entries.domainOf(slot) === domain) this.#mappedSlot(slot, page, count, tables, time);
      }
      return;
    }
    const { orders, countOfOrder } = entries;
    for (let o = 0; o < entries.orderCount; o++) {
      const order = orders[o]!;
      if (countOfOrder[order] === 0) continue;
      const span = 2 ** order;
      for (let at = page; at < page + count; at += span - (at % span)) {
        let slot = entries.firstOfPage(order, alignLow(at | 0, order), alignHigh((at / TWO_32) | 0, order));
        for (; slot >= 0; slot = entries.nextOfPage(slot)) {
          if (entries.domainOf(slot) === domain) this.#mappedSlot(slot, page, count, tables, time);
        }
      }
    }
  }

  #mappedSlot(slot: number, page: PageNumber, count: number, tables: PageTables, time: Nanoseconds): void {
    const entries = this.#entries;
    if (entries.suspect[slot] === 0) return;
    const start = this.#page(slot);
    const span = 2 ** entries.orderOf(slot);
    const from = Math.max(page, start);
    const to = Math.min(page + count, start + span);
    if (from >= to) return;
    this.ledger.remap(slot, from - start, to - from, time);
    if (span === 1 && this.holds(slot, tables, entries.pageLoOf(slot), entries.pageHiOf(slot))) this.#clear(slot);
  }

  /** True if the tables translate a page exactly as the entry does. */
  holds(slot: number, tables: PageTables, pageLo: number, pageHi: number): boolean {
    return tables.translate(pageLo, pageHi) >= 0 && this.leadsTo(slot, pageLo, pageHi, tables.outLo, tables.outHi);
  }

  /** True if the entry translates a page to this output. */
  leadsTo(slot: number, pageLo: number, pageHi: number, outLo: number, outHi: number): boolean {
    const entries = this.#entries;
    const order = entries.orderOf(slot);
    if (order === 0) return outLo === entries.outLoOf(slot) && outHi === entries.outHiOf(slot);
    const low = entries.outLoOf(slot) | (pageLo & ~alignLow(-1, order));
    return outLo === low && outHi === (entries.outHiOf(slot) | (pageHi & ~alignHigh(-1, order)));
  }

  /** Call for each entry before it goes. */
  dropped(slot: number, why: number, time: Nanoseconds): void {
    if (this.#entries.suspect[slot] === 0) return;
    this.ledger.end(slot, time, ENDED_BY_DROP[why]!);
    this.#clear(slot);
  }

  /** Ends what is still exposed. */
  close(time: Nanoseconds, how: number): void {
    const entries = this.#entries;
    for (let slot = 0; slot < entries.capacity; slot++) {
      if (entries.live[slot] !== 0 && entries.suspect[slot] !== 0) this.ledger.end(slot, time, how);
    }
  }

  #clear(slot: number): void {
    this.#entries.suspect[slot] = 0;
    this.#suspects--;
  }

  #unmappedSlot(slot: number, page: PageNumber, count: number, time: Nanoseconds, event: number): void {
    const entries = this.#entries;
    const start = this.#page(slot);
    const from = Math.max(page, start);
    const to = Math.min(page + count, start + 2 ** entries.orderOf(slot));
    if (from < to) this.suspect(slot, from - start, to - from, time, event);
  }

  /** Pages of an entry, from its first one on, are not what the tables say any more. */
  suspect(slot: number, offset: number, pages: number, time: Nanoseconds, event: number): void {
    const entries = this.#entries;
    if (entries.suspect[slot] === 0) {
      entries.suspect[slot] = 1;
      this.#suspects++;
      this.ledger.suspectSince[slot] = time;
      this.ledger.suspectEvent[slot] = event;
    }
    this.ledger.expose(slot, offset, pages, time);
  }

  #page(slot: number): PageNumber {
    return (this.#entries.pageHiOf(slot) >>> 0) * TWO_32 + (this.#entries.pageLoOf(slot) >>> 0);
  }
}
