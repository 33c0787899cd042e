import { SMMUV3_ATC_ALL, SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';
import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { CacheTags, HeldTag } from './cache-tags.ts';
import type { CommandEmitter, DesignContext, MapIntent, UnmapIntent } from './design.ts';
import type { DomainFlush, FlushRange } from './domain-flush.ts';
import { submitter } from './gather.ts';
import { granuleOrders } from './leaf-orders.ts';
import { PageSizes } from './page-sizes.ts';
import { addressMask, alignPage, pageHigh, pageLow, trailingZeros } from './page-words.ts';
import { TablePresence } from './table-presence.ts';

/** Commands that the driver collects before it hands them over (CMDQ_BATCH_ENTRIES). */
const BATCH = 64;
/** Blocks of one unmapping that are looked at one by one; a larger one is taken as a whole. */
const MANY_BLOCKS = 4096;
const SSV = 0x800;
/** Page-wise commands of one flush at most. Drivers know no end; a range of petabytes is no mapping but a wrong number. */
const MOST_COMMANDS = 1 << 15;

/** What `all` drops. */
const WHOLE: FlushRange = { first: 0, last: -1, freedTable: 1, order: 0 };
const EVERYTHING: readonly FlushRange[] = [WHOLE];

/** Device TLBs (ATS) and nesting parents, of `CacheTag.type`. */
const DEVICE_TLB = 1;
const NESTING = 2;

interface PageGather {
  open: boolean;
  first: PageNumber;
  last: PageNumber;
  /** log2 of the 4 KiB pages of a leaf. */
  order: number;
}

/** What the flush asks of the page tables: which blocks have a lower table. */
export type BlockTables = Pick<TablePresence, 'map' | 'unmap'>;

/** Page tables with the leaf sizes of a granule. */
export function granuleTables(granuleShift: number): TablePresence {
  return new TablePresence(
    granuleOrders(granuleShift)
      .slice(1)
      .map((order) => 2 ** order),
  );
}

/**
 * SMMUv3 commands (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, drivers/iommu/io-pgtable-arm.c): TLBI by range where IDR3.RIL
 * is there, else page by page, a SYNC behind each flush, ATC_INV only after it. Leafs of another size end a gather; a table that
 * goes is flushed at once and not as a leaf.
 */
export class Smmuv3Flush implements DomainFlush {
  readonly #emit: CommandEmitter;
  readonly #context: DesignContext;
  readonly #tags: CacheTags;
  readonly #tables: BlockTables;
  readonly #sizes: PageSizes;
  readonly #smallest: number;
  readonly #gathers = new Map<number, Map<DomainId, PageGather>>();
  #unit = -1;
  #pending = 0;

  constructor(
    emit: CommandEmitter,
    context: DesignContext,
    tags: CacheTags,
    tables: BlockTables = granuleTables(context.granuleShift),
  ) {
    this.#emit = emit;
    this.#context = context;
    this.#tags = tags;
    const orders = granuleOrders(context.granuleShift);
    this.#smallest = orders[0] ?? 0;
    this.#sizes = new PageSizes(orders);
    this.#tables = tables;
  }

  map(intent: MapIntent): void {
    const { domain, first, last, offset } = intent;
    let page = first;
    while (page <= last) {
      this.#sizes.next(page, offset, last - page + 1);
      const { order, pages } = this.#sizes;
      // a leaf over an empty table: the table goes first
      if (order > this.#smallest) this.#blocks(domain, page, pages, order, undefined);
      page += pages;
    }
    this.#tables.map(domain, first, last, offset);
  }

  syncMap(_cpu: number): void {
    // new mappings need no command
  }

  unmap(intent: UnmapIntent): void {
    this.#unmap(intent, this.#gather(intent));
  }

  defer(intent: UnmapIntent): void {
    this.#unmap(intent, undefined);
  }

  sync(domain: DomainId, cpu: number, task: number): void {
    const gather = this.#gathers.get(submitter(cpu, task))?.get(domain);
    if (gather !== undefined) this.#close(domain, gather);
  }

  ranges(domain: DomainId, ranges: readonly FlushRange[]): void {
    this.#flush(domain, ranges, this.#context.walkCaches !== 'dropped');
  }

  all(domain: DomainId): void {
    this.#flush(domain, EVERYTHING, true);
  }

  /** Where `gather` is missing only the tables that go are flushed. */
  #unmap({ domain, first, last }: UnmapIntent, gather: PageGather | undefined): void {
    let page = first;
    while (page <= last) {
      this.#sizes.next(page, 0, last - page + 1);
      const { order, pages } = this.#sizes;
      if (order > this.#smallest) this.#blocks(domain, page, pages, order, gather);
      else if (gather !== undefined) this.#add(domain, gather, page, page + pages - 1, order);
      page += pages;
    }
  }

  /** Large blocks: each is a leaf, or a table that is freed. */
  #blocks(domain: DomainId, first: PageNumber, pages: number, order: number, gather: PageGather | undefined): void {
    const size = pages / 2 ** order > MANY_BLOCKS ? pages : 2 ** order;
    for (let page = first; page < first + pages; page += size) {
      const freed = this.#tables.unmap(domain, page, page + size - 1) === 1;
      if (freed) {
        this.#flush(domain, [{ first: page, last: page + size - 1, freedTable: 1, order: this.#smallest }], false);
      }
      // Linux 6.13 began to gather the freed block as well
      if (gather !== undefined && !(freed && this.#context.kernel < 613)) {
        this.#add(domain, gather, page, page + size - 1, order);
      }
    }
  }

  #gather({ domain, cpu, task }: UnmapIntent): PageGather {
    const key = submitter(cpu, task);
    let byDomain = this.#gathers.get(key);
    if (byDomain === undefined) {
      byDomain = new Map();
      this.#gathers.set(key, byDomain);
    }
    let gather = byDomain.get(domain);
    if (gather === undefined) {
      gather = { open: false, first: 0, last: 0, order: 0 };
      byDomain.set(domain, gather);
    }
    return gather;
  }

  /** include/linux/iommu.h, iommu_iotlb_gather_add_page. */
  #add(domain: DomainId, gather: PageGather, first: PageNumber, last: PageNumber, order: number): void {
    if (gather.open && (gather.order !== order || first > gather.last + 1 || last + 1 < gather.first)) {
      this.#close(domain, gather);
    }
    if (gather.open) {
      gather.first = Math.min(gather.first, first);
      gather.last = Math.max(gather.last, last);
      return;
    }
    gather.open = true;
    gather.first = first;
    gather.last = last;
    gather.order = order;
  }

  #close(domain: DomainId, gather: PageGather): void {
    if (!gather.open) return;
    gather.open = false;
    const { first, last, order } = gather;
    this.#flush(domain, [{ first, last, freedTable: 0, order }], this.#context.walkCaches !== 'dropped');
  }

  /** Commands for every tag of the domain, unit by unit: IOTLBs, then (after a SYNC) device TLBs. `EVERYTHING`: the wide forms. */
  #flush(domain: DomainId, ranges: readonly FlushRange[], leaf: boolean): void {
    const tags = this.#tags.of(domain);
    for (let i = 0; i < tags.length; i++) {
      const { unit } = tags[i]!; // i is in range
      if (tags.findIndex((tag) => tag.unit === unit) < i) continue;
      this.#unit = unit;
      const tooBig = ranges.some((range) => this.#tooBig(range));
      let nesting = false;
      for (let t = i; t < tags.length; t++) {
        const tag = tags[t]!; // t is in range
        if (tag.unit !== unit || (tag.type & DEVICE_TLB) !== 0) continue;
        if (tooBig) this.#wide(domain);
        else {
          for (const range of ranges) this.#range(domain, range, leaf);
          nesting ||= tag.type === NESTING;
        }
      }
      this.#submit();
      // stage 2 by address leaves what combines both stages; the wide form does not
      if (nesting) this.#put(SMMUV3_OPCODE.tlbiNhAll, domain >>> 16, 0, 0);
      this.#submit();
      for (let t = i; t < tags.length; t++) {
        const tag = tags[t]!; // t is in range
        if (tag.unit !== unit || (tag.type & DEVICE_TLB) === 0) continue;
        for (const range of ranges) this.#deviceTlb(tag, range);
      }
      this.#submit();
    }
  }

  /** Without ranges, Linux 7.2 gives up on page-wise commands at one table's worth of them (arm_smmu_inv_size_too_big). */
  #tooBig({ first, last, order }: FlushRange): boolean {
    const pages = last - first + 1;
    if (pages === 0) return true;
    if (this.#context.rangeInvalidation) return false;
    if (this.#context.kernel < 702) return pages > 2 ** Math.max(order, this.#smallest) * MOST_COMMANDS;
    const leaf = Math.max(order, this.#smallest);
    return pages >= 2 ** (leaf + 12 - 3 + leaf);
  }

  #wide(domain: DomainId): void {
    const asid = domain & 0xffff;
    if (asid === 0) this.#put(SMMUV3_OPCODE.tlbiS12Vmall, domain >>> 16, 0, 0);
    else {
      const opcode = this.#context.el2 ? SMMUV3_OPCODE.tlbiEl2Asid : SMMUV3_OPCODE.tlbiNhAsid;
      this.#put(opcode, (asid << 16) | (domain >>> 16), 0, 0);
    }
    this.#submit();
  }

  #range(domain: DomainId, { first, last, order }: FlushRange, leaf: boolean): void {
    const pages = last - first + 1;
    const asid = domain & 0xffff;
    const stage1 = this.#context.el2 ? SMMUV3_OPCODE.tlbiEl2Va : SMMUV3_OPCODE.tlbiNhVa;
    const opcode = asid === 0 ? SMMUV3_OPCODE.tlbiS2Ipa : stage1;
    const ids = (asid << 16) | (domain >>> 16);
    const hint = leaf ? 1 : 0;
    if (!this.#context.rangeInvalidation) {
      for (let page = first; page <= last; page += 2 ** Math.max(order, this.#smallest)) {
        this.#put(opcode, ids, pageLow(page) | hint, pageHigh(page));
      }
      return;
    }
    const { granuleShift } = this.#context;
    const unit = 2 ** (granuleShift - 12);
    let left = Math.ceil(pages / unit);
    const ttl = leaf && order >= 0 ? 4 - Math.floor((order + 12 - 3) / (granuleShift - 3)) : 0;
    // NUM, SCALE and TTL must not all be 0
    if (ttl === 0 && left % 32 === 1) left++;
    const low = hint | (ttl << 8) | (((granuleShift - 10) / 2) << 10);
    let page = first;
    while (page < first + pages) {
      const scale = trailingZeros(left);
      const num = Math.floor(left / 2 ** scale) % 32;
      this.#put(opcode | ((num - 1) << 12) | (scale << 20), ids, pageLow(page) | low, pageHigh(page));
      page += num * 2 ** scale * unit;
      left -= num * 2 ** scale;
    }
  }

  #deviceTlb(tag: HeldTag, range: FlushRange): void {
    const low = SMMUV3_OPCODE.atcInv | (tag.pasid > 0 ? SSV | (tag.pasid << 12) : 0);
    if (range === WHOLE || (tag.type & NESTING) !== 0) {
      this.#put(low, tag.device, SMMUV3_ATC_ALL, 0);
      return;
    }
    const mask = addressMask(range.first, range.last);
    const page = alignPage(range.first, mask);
    this.#put(low, tag.device, pageLow(page) | mask, pageHigh(page));
  }

  #put(w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
    if (this.#pending === BATCH) {
      this.#emit.publish(this.#unit);
      this.#pending = 0;
    }
    this.#pending++;
    this.#emit.command(this.#unit, w0Lo, w0Hi, w1Lo, w1Hi, 0, 0, 0, 0);
  }

  #submit(): void {
    if (this.#pending === 0) return;
    this.#pending = 0;
    this.#emit.submit(this.#unit);
  }
}
