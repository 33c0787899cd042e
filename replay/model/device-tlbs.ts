import type { Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { CacheCounts } from '../results.ts';
import { EVERY_KIND, entryMatch, matchKinds } from './entry-match.ts';
import { ExposureTotals } from './exposure.ts';
import { DROP } from './iotlb.ts';
import type { PageTables } from './page-tables.ts';
import type { Geometry } from './set-associative-iotlb.ts';
import { TrackedCache } from './tracked-cache.ts';
import type { CacheWatch } from './tracked-cache.ts';

/** PASID field of entries that were asked for without PASID: no real one, so that commands for a PASID leave them. */
export const NO_PASID = 0x10_0000;

/**
 * The translation caches of devices with ATS, one for each (PCIe 10.5.1). Only device-TLB commands for the device itself drop
 * anything here: those for a domain or an address space don't.
 */
export class DeviceTlbs {
  /** By 16-bit requester id: where its cache is in `caches`, plus 1. */
  readonly #direct: Int32Array = new Int32Array(0x10000);
  readonly caches: TrackedCache[] = [];
  /** How many there are, in element 0. */
  readonly count: Int32Array = new Int32Array(1);
  /** Exposures in all of them. */
  readonly totals: ExposureTotals = new ExposureTotals();
  readonly #watch: CacheWatch;
  readonly #geometry: Geometry | undefined;
  readonly #match = entryMatch();

  readonly #enabled: (rid: number) => void;

  /** Without a geometry devices have none. `enabled` is told of each device that gets one. */
  constructor(watch: CacheWatch, geometry: Geometry | undefined, enabled: (rid: number) => void) {
    this.#enabled = enabled;
    this.#watch = watch;
    this.#geometry = geometry;
  }

  /** The device translates through a cache of its own from now on. */
  enable(rid: number): void {
    if (this.#geometry === undefined || rid >>> 16 !== 0 || this.#direct[rid] !== 0) return;
    this.caches.push(new TrackedCache('atc', this.#watch, this.totals, this.#geometry));
    this.#direct[rid] = this.caches.length;
    this.count[0] = this.caches.length;
    this.#enabled(rid);
  }

  of(rid: number): TrackedCache | undefined {
    return rid >>> 16 === 0 ? this.caches[this.#direct[rid]! - 1] : undefined;
  }

  /**
   * Drops 2^order aligned pages of a device, order 52 and more: all. With a PASID only what was asked for with it; `pasid` -1
   * is a message without PASID, which drops them under every PASID and none. That there is such a command shows that the
   * device has a cache.
   */
  dropPages(rid: number, pasid: number, pageLo: number, pageHi: number, order: number): number {
    const cache = this.of(rid & 0xffff);
    if (cache === undefined) {
      this.enable(rid & 0xffff);
      return 0;
    }
    const match = matchKinds(this.#match, EVERY_KIND, pasid);
    return order >= 52
      ? cache.dropMatching(match, DROP.command)
      : cache.dropPages(match, pageLo, pageHi, order, DROP.command);
  }

  /** Pages of a domain were mapped, or unmapped: as in `Staleness`. */
  mapped(domain: number, page: PageNumber, count: number, tables: PageTables, time: Nanoseconds): void {
    for (const cache of this.caches) cache.staleness.mapped(domain, page, count, tables, time);
  }

  unmapped(domain: number, page: PageNumber, count: number, time: Nanoseconds, event: number): void {
    this.totals.unmappedPages += count;
    for (const cache of this.caches) cache.staleness.unmapped(domain, page, count, time, event);
  }

  /** All of them together; undefined where there is none. */
  report(names: (kind: number) => string): CacheCounts | undefined {
    if (this.caches.length === 0) return undefined;
    const reports = this.caches.map((cache) => cache.report(names));
    const sum = (count: (report: CacheCounts) => number): number =>
      reports.reduce((total, one) => total + count(one), 0);
    const invalidatedBy: { [kind: string]: number } = {};
    for (const report of reports) {
      for (const [kind, count] of Object.entries(report.invalidatedBy)) {
        invalidatedBy[kind] = (invalidatedBy[kind] ?? 0) + count;
      }
    }
    return {
      lookups: sum((one) => one.lookups),
      hits: sum((one) => one.hits),
      misses: sum((one) => one.misses),
      causes: {
        compulsory: sum((one) => one.causes.compulsory),
        capacity: sum((one) => one.causes.capacity),
        conflict: sum((one) => one.causes.conflict),
        invalidation: sum((one) => one.causes.invalidation),
      },
      invalidatedBy,
    };
  }
}
