import type { CommandEmitter, DesignContext } from './design.ts';
import type { HeldTag } from './cache-tags.ts';
import type { DomainId, PageNumber } from '../../traces/units.ts';

/** Commands in one submission at most, without its wait (drivers/iommu/intel/iommu.h, QI_MAX_BATCHED_DESC_COUNT). */
export const MAX_BATCH = 16;
/** "Everything" as an address mask (drivers/iommu/intel/iommu.h, MAX_AGAW_PFN_WIDTH). */
export const WHOLE_MASK = 52;

const NESTING_DEVICE_TLB = 3;
const HIGH = 0x100000000;

/** Bits needed for the difference of first and last page: the smallest 2^m pages, aligned, that hold both. */
export function addressMask(first: PageNumber, last: PageNumber): number {
  const low = (first ^ last) | 0;
  const high = (Math.floor(first / HIGH) ^ Math.floor(last / HIGH)) | 0;
  return high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high);
}

/** `page` with its lowest `mask` bits cleared. */
export function alignPage(page: PageNumber, mask: number): PageNumber {
  if (mask >= WHOLE_MASK) return 0;
  const size = 2 ** mask;
  return page - (page % size);
}

/**
 * Chooses and encodes VT-d commands for the tags of one domain, in batches of 16 with one wait each, a new batch where the
 * unit changes (drivers/iommu/intel/cache.c; VT-d spec 6.5.2).
 */
export class VtdFlush {
  readonly #emit: CommandEmitter;
  readonly #context: DesignContext;
  #unit = -1;
  #pending = 0;

  constructor(emit: CommandEmitter, context: DesignContext) {
    this.#emit = emit;
    this.#context = context;
  }

  /** Drops the pages `first` to `last` from every tag. `hint` 1: only leaf entries changed (IH). */
  range(domain: DomainId, tags: readonly HeldTag[], first: PageNumber, last: PageNumber, hint: number): void {
    let mask = addressMask(first, last);
    let page = alignPage(first, mask);
    const firstStage = this.#context.firstStage.has(domain);
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
    this.#close();
  }

  /** Drops what new mappings made wrong in a cache that holds not-present entries (CAP.CM): IOTLB only, IH 0. */
  notPresent(domain: DomainId, tags: readonly HeldTag[], first: PageNumber, last: PageNumber): void {
    if (!this.#context.cachingMode || this.#context.firstStage.has(domain)) return;
    const mask = addressMask(first, last);
    const page = alignPage(first, mask);
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i]!; // i is in range
      if ((tag.type & 1) === 1) continue;
      if (mask > this.#context.maxAddressMask) this.#domainIotlb(tag);
      else this.#pageIotlb(tag, page, mask, 0);
    }
    this.#close();
  }

  /** Drops everything of the domain from every tag. */
  all(domain: DomainId, tags: readonly HeldTag[]): void {
    const firstStage = this.#context.firstStage.has(domain);
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i]!; // i is in range
      if ((tag.type & 1) === 1) this.#deviceTlb(tag, 0, WHOLE_MASK);
      else if (firstStage) this.#pasidIotlb(tag, 0, WHOLE_MASK, 0);
      else this.#domainIotlb(tag);
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
    if (this.#pending > 0 && (unit !== this.#unit || this.#pending === MAX_BATCH)) this.#close();
    this.#unit = unit;
    this.#pending++;
    this.#emit.command(unit, w0Lo, w0Hi, w1Lo, w1Hi);
  }

  #close(): void {
    if (this.#pending === 0) return;
    this.#pending = 0;
    this.#emit.submit(this.#unit);
  }
}

/** Low int32 word of the page's address. */
function pageLow(page: PageNumber): number {
  return ((page % 0x100000) << 12) | 0;
}

/** High int32 word of the page's address. */
function pageHigh(page: PageNumber): number {
  return Math.floor(page / 0x100000) | 0;
}
