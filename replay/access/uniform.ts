import type { DomainId, PageNumber } from '../../traces/units.ts';
import { MOST_PAGES } from './access-model.ts';
import type { AccessModelFactory } from './access-model.ts';

/** Accesses made at each map and unmap. */
const ACCESSES_AN_EVENT = 2;
/** Pages of one domain that are kept as targets. */
const MOST_LIVE = 1 << 20;

/** The mapped pages of one domain, in an order that allows a random pick and a removal in constant time. */
class LivePages {
  readonly #pages: PageNumber[] = [];
  readonly #index = new Map<PageNumber, number>();

  get count(): number {
    return this.#pages.length;
  }

  at(i: number): PageNumber {
    return this.#pages[i] ?? 0;
  }

  add(page: PageNumber): void {
    if (this.#index.has(page) || this.#pages.length >= MOST_LIVE) return;
    this.#index.set(page, this.#pages.length);
    this.#pages.push(page);
  }

  remove(page: PageNumber): void {
    const i = this.#index.get(page);
    if (i === undefined) return;
    this.#index.delete(page);
    const last = this.#pages.pop();
    if (last === undefined || i === this.#pages.length) return;
    this.#pages[i] = last;
    this.#index.set(last, i);
  }
}

/** Random accesses, each mapped page of the domain as likely as any other: the least kind pattern for a cache. */
export const uniform: AccessModelFactory = {
  name: 'uniform',
  summary: 'at each map and unmap two accesses to random mapped pages of the domain (seeded)',
  create: (sink, random) => {
    const domains = new Map<DomainId, LivePages>();
    const touch = (time: number, rid: number, domain: DomainId, live: LivePages): void => {
      for (let i = 0; i < ACCESSES_AN_EVENT && live.count > 0; i++) {
        sink(time, rid, domain, live.at(random.below(live.count)), 0);
      }
    };
    return {
      mapped(time, rid, domain, first, pages) {
        let live = domains.get(domain);
        if (live === undefined) {
          live = new LivePages();
          domains.set(domain, live);
        }
        const kept = Math.min(pages, MOST_PAGES);
        for (let i = 0; i < kept; i++) live.add(first + i);
        touch(time, rid, domain, live);
      },
      unmapping(time, rid, domain, first, pages) {
        const live = domains.get(domain);
        if (live === undefined) return;
        touch(time, rid, domain, live);
        const kept = Math.min(pages, MOST_PAGES);
        for (let i = 0; i < kept; i++) live.remove(first + i);
      },
    };
  },
};
