import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withSettings } from '../hardware/profiles.ts';
import { qemuVtd } from '../hardware/qemu-vtd.ts';
import { createMachine } from './create-machine.ts';

const CAPACITY = 6;

interface Cached {
  readonly rid: number;
  readonly domain: number;
  readonly page: number;
  readonly out: number;
  /** When it was exposed, -1 if it is not. */
  since: number;
  /** When it became stale the first time, -1 if it is as the tables say. */
  stale: number;
}

/** The oracle by its definition: lists searched from end to end, one page each. */
class Naive {
  cache: Cached[] = [];
  readonly tables = new Map<string, number>();
  readonly ended = { command: 0, replacement: 0, overflow: 0, remap: 0, open: 0 };
  readonly durations: number[] = [];
  hits = 0;
  staleHits = 0;
  maxAge = 0;
  most = 0;
  unmapped = 0;

  map(time: number, domain: number, page: number, out: number): void {
    this.tables.set(`${domain} ${page}`, out);
    for (const one of this.cache) {
      if (one.domain !== domain || one.page !== page) continue;
      this.#end(one, time, 'remap');
      if (one.out === out) one.stale = -1;
    }
  }

  unmap(time: number, domain: number, page: number): void {
    this.tables.delete(`${domain} ${page}`);
    this.unmapped++;
    for (const one of this.cache) {
      if (one.domain !== domain || one.page !== page) continue;
      if (one.since < 0) one.since = time;
      if (one.stale < 0) one.stale = time;
    }
    this.most = Math.max(this.most, this.exposed);
  }

  access(time: number, rid: number, domain: number, page: number): void {
    const found = this.cache.find((one) => one.rid === rid && one.page === page);
    const out = this.tables.get(`${domain} ${page}`);
    if (found !== undefined) {
      this.hits++;
      if (found.stale >= 0 && found.out !== out) {
        this.staleHits++;
        this.maxAge = Math.max(this.maxAge, time - found.stale);
      }
    } else if (out !== undefined) {
      if (this.cache.length === CAPACITY) this.drop(time, () => true, 'overflow');
      this.cache.push({ rid, domain, page, out, since: -1, stale: -1 });
    }
  }

  drop(time: number, gone: (one: Cached) => boolean, how: keyof Naive['ended']): void {
    for (const one of this.cache) if (gone(one)) this.#end(one, time, how);
    this.cache = this.cache.filter((one) => !gone(one));
  }

  get exposed(): number {
    return this.cache.filter((one) => one.since >= 0).length;
  }

  #end(one: Cached, time: number, how: keyof Naive['ended']): void {
    if (one.since < 0) return;
    this.durations.push(time - one.since);
    this.ended[how]++;
    one.since = -1;
  }
}

const operation = fc.record({
  kind: fc.constantFrom('map', 'map', 'unmap', 'unmap', 'access', 'access', 'access', 'page', 'domain', 'reset'),
  gap: fc.integer({ min: 0, max: 100 }),
  rid: fc.constantFrom(0x18, 0x19, 0x20),
  page: fc.integer({ min: 0, max: 9 }),
  out: fc.integer({ min: 100, max: 102 }),
});
const domainOf = (rid: number): number => (rid === 0x20 ? 5 : 4);

test('random maps, unmaps, accesses and commands: exposure and stale hits as by their definition', () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 200 }), (operations) => {
      const machine = createMachine(withSettings(qemuVtd, [`capacity=${CAPACITY}`]));
      const naive = new Naive();
      for (const rid of [0x18, 0x19, 0x20]) machine.attach(rid, -1, domainOf(rid));
      // a domain without any table is one that the trace does not show: its accesses don't fault
      for (const domain of [4, 5]) machine.map(0, domain, 0x100_0000, 0, 0, 0, 4096, 0, 3);
      let time = 0;
      for (const { kind, gap, rid, page, out } of operations) {
        time += gap;
        const domain = domainOf(rid);
        const mapped = naive.tables.has(`${domain} ${page}`);
        if (kind === 'map' && !mapped) {
          machine.map(time, domain, page << 12, 0, out << 12, 0, 4096, 0, 3);
          naive.map(time, domain, page, out);
        } else if (kind === 'unmap' && mapped) {
          machine.unmap(time, domain, page << 12, 0, 4096, 0, -1);
          naive.unmap(time, domain, page);
        } else if (kind === 'access') {
          machine.access(time, rid, -1, -1, page << 12, 0, 0, 0);
          naive.access(time, rid, domain, page);
        } else if (kind === 'page') {
          machine.command(time, 0xf2 | (domain << 16), 0, page << 12, 0);
          naive.drop(time, (one) => one.domain === domain && one.page === page, 'command');
        } else if (kind === 'domain') {
          machine.command(time, 0xe2 | (domain << 16), 0, 0, 0);
          naive.drop(time, (one) => one.domain === domain, 'command');
        } else if (kind === 'reset') {
          machine.reset(time);
          naive.drop(time, () => true, 'command');
        }
        expect(machine.exposedPages).toBe(naive.exposed);
        expect(machine.entries.count).toBe(naive.cache.length);
      }
      naive.drop(time, () => true, 'open');
      const { iotlb, exposure, stale } = machine.finish(time);
      const sorted = naive.durations.sort((a, b) => a - b);
      expect(iotlb.hits).toBe(naive.hits);
      expect(stale).toEqual({ translations: naive.staleHits, maxAgeNs: naive.maxAge });
      expect(exposure).toMatchObject({
        pages: sorted.length,
        unmappedPages: naive.unmapped,
        pageSeconds: sorted.reduce((a, b) => a + b, 0) / 1e9,
        ns: { p50: sorted[Math.ceil(sorted.length / 2) - 1] ?? 0, max: sorted.at(-1) ?? 0 },
        maxAtOnce: naive.most,
        endedBy: naive.ended,
      });
    }),
    { numRuns: 300 },
  );
});
