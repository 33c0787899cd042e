import { AMD_COMMAND } from '../../traces/dialects/amd-fields.ts';
import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { CacheTags, HeldTag } from './cache-tags.ts';
import type { CommandEmitter, DesignContext, MapIntent, UnmapIntent } from './design.ts';
import type { DomainFlush, FlushRange } from './domain-flush.ts';
import { Gathers } from './gather.ts';
import { MapRuns } from './map-runs.ts';
import { addressMask, alignPage, floorLog2, pageHigh, pageLow, trailingZeros } from './page-words.ts';

/** From here on a size code can't say the range: everything (48882, 2.4.3; drivers/iommu/amd/iommu.c, build_inv_address). */
const WHOLE_MASK = 41;
/** From here on a command leaves page-directory entries alone where only leaves changed. */
const SINCE_LEAFS = 700;
const SIZE = 1;
const PDE = 2;
const GUEST = 4;

/**
 * AMD IOMMU commands (drivers/iommu/amd/iommu.c): one INVALIDATE_IOMMU_PAGES per unit over the smallest aligned power of two of
 * pages, one INVALIDATE_IOTLB_PAGES per device with ATS, one COMPLETION_WAIT. Under an emulator (NpCache) a range is cut into
 * aligned pieces instead, so that nothing else is dropped, and mapping flushes too.
 */
export class AmdFlush implements DomainFlush {
  readonly #emit: CommandEmitter;
  readonly #context: DesignContext;
  readonly #tags: CacheTags;
  readonly #gathers = new Gathers();
  readonly #runs = new MapRuns((domain, first, last) =>
    this.#flush(domain, [{ first, last, freedTable: 1, order: 0 }]),
  );

  constructor(emit: CommandEmitter, context: DesignContext, tags: CacheTags) {
    this.#emit = emit;
    this.#context = context;
    this.#tags = tags;
  }

  map(intent: MapIntent): void {
    if (this.#context.cachingMode) this.#runs.add(intent.cpu, intent.domain, intent.first, intent.last);
  }

  syncMap(cpu: number): void {
    this.#runs.end(cpu);
  }

  unmap(intent: UnmapIntent): void {
    this.#runs.end(intent.cpu);
    // PT_FEAT_FLUSH_RANGE_NO_GAPS of drivers/iommu/generic_pt: what lies between is not flushed
    if (this.#context.cachingMode && this.#gathers.disjoint(intent)) {
      this.sync(intent.domain, intent.cpu, intent.task);
    }
    this.#gathers.add(intent);
  }

  defer(intent: UnmapIntent): void {
    this.#runs.end(intent.cpu);
  }

  sync(domain: DomainId, cpu: number, task: number): void {
    const gather = this.#gathers.take(cpu, task, domain);
    if (gather !== undefined) this.#flush(domain, [{ ...gather, order: 0 }]);
  }

  ranges(domain: DomainId, ranges: readonly FlushRange[]): void {
    this.#flush(domain, ranges);
  }

  all(domain: DomainId): void {
    this.#flush(domain, [{ first: 0, last: -1, freedTable: 1, order: 0 }]);
  }

  /** `last` -1: everything. */
  #flush(domain: DomainId, ranges: readonly FlushRange[]): void {
    const tags = this.#tags.of(domain);
    for (let i = 0; i < tags.length; i++) {
      const { unit } = tags[i]!; // i is in range
      if (tags.findIndex((tag) => tag.unit === unit) < i) continue;
      for (const { first, last, freedTable } of ranges) this.#ofUnit(unit, tags, first, last, this.#pde(freedTable));
      this.#emit.submit(unit);
    }
  }

  /** Page-directory entries go too where a table did; until 6.x every command took them. */
  #pde(freedTable: number): number {
    const { walkCaches, kernel } = this.#context;
    if (walkCaches === 'dropped' || freedTable === 1) return PDE;
    return walkCaches === 'kept' || kernel >= SINCE_LEAFS ? 0 : PDE;
  }

  #ofUnit(unit: number, tags: readonly HeldTag[], first: PageNumber, last: PageNumber, pde: number): void {
    if (!this.#context.cachingMode || last < 0) {
      this.#piece(unit, tags, first, last, pde);
      return;
    }
    let page = first;
    while (page <= last) {
      const order = Math.min(trailingZeros(page), floorLog2(last - page + 1));
      this.#piece(unit, tags, page, page + 2 ** order - 1, pde);
      page += 2 ** order;
    }
  }

  #piece(unit: number, tags: readonly HeldTag[], first: PageNumber, last: PageNumber, pde: number): void {
    const mask = last < 0 ? WHOLE_MASK : addressMask(first, last);
    const whole = mask >= WHOLE_MASK;
    const page = whole ? 2 ** 51 - 1 : alignPage(first, mask) + (mask === 0 ? 0 : 2 ** (mask - 1) - 1);
    const lo = pageLow(page) | (mask === 0 ? 0 : SIZE);
    const hi = pageHigh(page);
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < tags.length; i++) {
        const tag = tags[i]!; // i is in range
        if (tag.unit !== unit || (tag.type & 1) !== pass) continue;
        const guest = this.#context.firstStage.has(tag.domain) ? GUEST : 0;
        if (pass === 0) this.#iotlb(tag, lo | pde | guest, hi, guest);
        else this.#device(tag, lo | (tag.pasid > 0 ? GUEST : 0), hi);
      }
    }
  }

  #iotlb(tag: HeldTag, lo: number, hi: number, guest: number): void {
    const pasid = guest === 0 ? 0 : tag.pasid;
    this.#emit.command(tag.unit, pasid, tag.domain | (AMD_COMMAND.pages << 28), lo, hi, 0, 0, 0, 0);
  }

  #device(tag: HeldTag, lo: number, hi: number): void {
    const device = tag.device & 0xffff;
    const bits = this.#context.deviceBits.get(device)?.lo ?? 0;
    const low = device | (((tag.pasid >>> 8) & 0xff) << 16) | bits;
    const high = device | ((tag.pasid & 0xff) << 16) | (AMD_COMMAND.iotlbPages << 28);
    this.#emit.command(tag.unit, low, high, lo, hi, 0, 0, 0, 0);
  }
}
