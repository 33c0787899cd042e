import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { CacheTags, HeldTag } from './cache-tags.ts';
import type { CommandEmitter, DesignContext, MapIntent, UnmapIntent } from './design.ts';
import type { DomainFlush, FlushRange } from './domain-flush.ts';
import { Gathers } from './gather.ts';
import { MapRuns } from './map-runs.ts';
import { addressMask, alignPage, pageHigh, pageLow } from './page-words.ts';
import { PageSizes } from './page-sizes.ts';

/** Commands in one submission at most, without its wait (drivers/iommu/intel/iommu.h, QI_MAX_BATCHED_DESC_COUNT). */
const MAX_BATCH = 16;
/** From here on commands go out in batches (qi_batch_add_iotlb); before, each was submitted alone. */
const SINCE_BATCHES = 612;
/** From here on page tables are generic_pt's, whose gather only widens; before, pages of another size or place ended it. */
const SINCE_GENERIC_PT = 619;
/** Leaf sizes as log2 of 4 KiB pages. */
const LEAFS: readonly number[] = [0, 9, 18];
/** "Everything" as an address mask (drivers/iommu/intel/iommu.h, MAX_AGAW_PFN_WIDTH). */
const WHOLE_MASK = 52;
const NESTING_DEVICE_TLB = 3;

/**
 * Chooses and encodes VT-d commands for the tags of one domain, in batches of 16 with one wait each, a new batch where the
 * unit changes (drivers/iommu/intel/cache.c; VT-d spec 6.5.2).
 */
export class VtdFlush implements DomainFlush {
  readonly #emit: CommandEmitter;
  readonly #context: DesignContext;
  readonly #tags: CacheTags;
  readonly #gathers = new Gathers();
  readonly #sizes = new PageSizes(LEAFS);
  readonly #most: number;
  readonly #runs = new MapRuns((domain, first, last) => this.#notPresent(domain, first, last));
  #unit = -1;
  #pending = 0;

  constructor(emit: CommandEmitter, context: DesignContext, tags: CacheTags) {
    this.#emit = emit;
    this.#context = context;
    this.#tags = tags;
    this.#most = context.kernel < SINCE_BATCHES ? 1 : MAX_BATCH;
  }

  map(intent: MapIntent): void {
    const { domain, replacedFirst, replacedLast } = intent;
    if (replacedFirst >= 0) {
      this.#range(domain, replacedFirst, replacedLast, 1);
      this.#close();
    }
    if (this.#context.cachingMode) this.#runs.add(intent.cpu, domain, intent.first, intent.last);
  }

  syncMap(cpu: number): void {
    this.#runs.end(cpu);
  }

  unmap(intent: UnmapIntent): void {
    this.#runs.end(intent.cpu);
    if (this.#context.kernel >= SINCE_GENERIC_PT) this.#gathers.add(intent);
    else this.#addPieces(intent);
  }

  /**
   * Piece by piece as the core hands it to the driver; one that is not of the size of those before, or leaves a gap, flushes
   * them first (include/linux/iommu.h, iommu_iotlb_gather_add_page).
   */
  #addPieces(intent: UnmapIntent): void {
    const { domain, first, last, freedTable, cpu, task, time } = intent;
    for (let page = first; page <= last; ) {
      this.#sizes.next(page, 0, last - page + 1);
      const { pages } = this.#sizes;
      const piece: UnmapIntent = { domain, first: page, last: page + pages - 1, freedTable, cpu, task, time };
      if (this.#gathers.differs(piece)) this.sync(domain, cpu, task);
      this.#gathers.add(piece);
      page += pages;
    }
  }

  defer(intent: UnmapIntent): void {
    this.#runs.end(intent.cpu);
  }

  sync(domain: DomainId, cpu: number, task: number): void {
    const gather = this.#gathers.take(cpu, task, domain);
    if (gather === undefined) return;
    this.#range(domain, gather.first, gather.last, gather.freedTable);
    this.#close();
  }

  ranges(domain: DomainId, ranges: readonly FlushRange[]): void {
    for (const { first, last, freedTable } of ranges) this.#range(domain, first, last, freedTable);
    this.#close();
  }

  all(domain: DomainId): void {
    const firstStage = this.#context.firstStage.has(domain);
    const tags = this.#tags.of(domain);
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i]!; // i is in range
      if ((tag.type & 1) === 1) this.#deviceTlb(tag, 0, WHOLE_MASK);
      else if (firstStage) this.#pasidIotlb(tag, 0, WHOLE_MASK, 0);
      else this.#domainIotlb(tag);
    }
    this.#close();
  }

  /** Adds what drops the pages `first` to `last` from every tag. */
  #range(domain: DomainId, first: PageNumber, last: PageNumber, freedTable: number): void {
    let mask = addressMask(first, last);
    let page = alignPage(first, mask);
    const firstStage = this.#context.firstStage.has(domain);
    const hint = this.#hint(freedTable, firstStage);
    const tags = this.#tags.of(domain);
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i]!; // i is in range
      if (tag.type === NESTING_DEVICE_TLB) {
        // a change of the parent's table can't be traced to nested translations: everything, and so for all later tags
        mask = WHOLE_MASK;
        page = 0;
      }
      if ((tag.type & 1) === 1) this.#deviceTlb(tag, page, mask);
      else if (firstStage) this.#pasidIotlb(tag, page, mask, hint);
      else if (mask > this.#context.maxAddressMask) this.#domainIotlb(tag);
      else this.#pageIotlb(tag, page, mask, hint);
    }
  }

  /** IH: 1 where only leaf entries changed and the driver says so. */
  #hint(freedTable: number, firstStage: boolean): number {
    const { walkCaches, kernel } = this.#context;
    if (walkCaches === 'dropped' || freedTable === 1) return 0;
    return walkCaches === 'kept' || firstStage || sendsHints(kernel) ? 1 : 0;
  }

  /** Drops what new mappings made wrong in a cache that holds not-present entries (CAP.CM): IOTLB only, IH 0. */
  #notPresent(domain: DomainId, first: PageNumber, last: PageNumber): void {
    if (this.#context.firstStage.has(domain)) return;
    const mask = addressMask(first, last);
    const page = alignPage(first, mask);
    const tags = this.#tags.of(domain);
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i]!; // i is in range
      if ((tag.type & 1) === 1) continue;
      if (mask > this.#context.maxAddressMask) this.#domainIotlb(tag);
      else this.#pageIotlb(tag, page, mask, 0);
    }
    this.#close();
  }

  #pageIotlb(tag: HeldTag, page: PageNumber, mask: number, hint: number): void {
    const low = 0x32 | this.#context.drainBits | (tag.domain << 16);
    this.#put(tag.unit, low, 0, pageLow(page) | (hint << 6) | mask, pageHigh(page));
  }

  #domainIotlb(tag: HeldTag): void {
    this.#put(tag.unit, 0x22 | this.#context.drainBits | (tag.domain << 16), 0, 0, 0);
  }

  #pasidIotlb(tag: HeldTag, page: PageNumber, mask: number, hint: number): void {
    if (mask >= WHOLE_MASK) this.#put(tag.unit, 0x26 | (tag.domain << 16), tag.pasid, 0, 0);
    else {
      this.#put(tag.unit, 0x36 | (tag.domain << 16), tag.pasid, pageLow(page) | (hint << 6) | mask, pageHigh(page));
    }
  }

  /** Size is in the address: a 0 bit ended by as many 1 bits below as the size needs. VT-d spec 6.5.2.5. */
  #deviceTlb(tag: HeldTag, page: PageNumber, mask: number): void {
    const bits = this.#context.deviceBits.get(tag.device);
    const extraLow = bits === undefined ? 0 : bits.lo;
    const extraHigh = bits === undefined ? 0 : bits.hi;
    // 2^(mask-1) - 1 set below the size bit; a page number is never odd there, so adding is setting
    const address = mask === 0 ? page : page + (2 ** (mask - 1) - 1);
    const source = tag.device & 0xffff;
    if (tag.pasid === 0) {
      this.#put(tag.unit, 3 | extraLow, source | extraHigh, pageLow(address) | (mask === 0 ? 0 : 1), pageHigh(address));
    } else {
      const low = 8 | (source << 16) | extraLow;
      this.#put(tag.unit, low, tag.pasid | extraHigh, pageLow(address) | (mask === 0 ? 0 : 0x800), pageHigh(address));
    }
  }

  #put(unit: number, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
    if (this.#pending > 0 && (unit !== this.#unit || this.#pending === this.#most)) this.#close();
    this.#unit = unit;
    this.#pending++;
    this.#emit.command(unit, w0Lo, w0Hi, w1Lo, w1Hi, 0, 0, 0, 0);
  }

  #close(): void {
    if (this.#pending === 0) return;
    this.#pending = 0;
    this.#emit.submit(this.#unit);
  }
}

/**
 * Whether second-stage commands tell leaf changes. The hint was lost on its way into the descriptor (qi_flush_iotlb in
 * drivers/iommu/intel/dmar.c, qi_desc_iotlb since 6.12) until commit 6b38a108eeb3 in 6.19, which stable releases of 6.12, 6.17 and
 * 6.18 have since December 2025: those are taken to be newer than that.
 */
function sendsHints(kernel: number): boolean {
  return kernel >= 617 || kernel === 612;
}
