import { VIRTIO_MAP, VIRTIO_REQUEST } from '../../traces/dialects/virtio-fields.ts';
import { ACCESS } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { CacheTags } from './cache-tags.ts';
import type { CommandEmitter, MapIntent, UnmapIntent } from './design.ts';
import type { DomainFlush, FlushRange } from './domain-flush.ts';
import { MappingList } from './mapping-list.ts';
import { EVERY_SIZE, PageSizes } from './page-sizes.ts';
import { pageHigh, pageLow } from './page-words.ts';

/** Requests of one map or unmap at most: what lies behind is taken for one. Far more than a page-size mask can cut. */
const MOST_PIECES = 4096;

/**
 * virtio-iommu requests (drivers/iommu/virtio-iommu.c): there is no invalidation, the page table itself is sent. A mapping
 * goes piece by piece of the page-size mask; an unmapping takes away whole MAP requests, so it reaches to the end of the last one
 * that begins inside. Requests wait in the virtqueue until the submitter synchronises.
 */
export class VirtioFlush implements DomainFlush {
  readonly #emit: CommandEmitter;
  readonly #tags: CacheTags;
  readonly #mappings = new Map<DomainId, MappingList>();
  readonly #sizes = new PageSizes(EVERY_SIZE);
  /** Requests are in the queue that the device has not been told of. */
  #queued = false;

  constructor(emit: CommandEmitter, tags: CacheTags) {
    this.#emit = emit;
    this.#tags = tags;
  }

  map(intent: MapIntent): void {
    const { domain, first, last, offset, prot } = intent;
    const list = this.#listOf(domain);
    const flags = prot === 0 ? VIRTIO_MAP.read | VIRTIO_MAP.write : prot & (ACCESS.read | ACCESS.write);
    let page = first;
    for (let pieces = 1; page <= last; pieces++) {
      this.#sizes.next(page, offset, last - page + 1);
      const end = pieces === MOST_PIECES ? last : page + this.#sizes.pages - 1;
      list.add(page, end);
      this.#request(VIRTIO_REQUEST.map | (flags << 8), domain, page, end, page + offset);
      page = end + 1;
    }
  }

  syncMap(_cpu: number): void {
    this.#kick();
  }

  unmap(intent: UnmapIntent): void {
    const { domain, first, last } = intent;
    const list = this.#listOf(domain);
    let page = first;
    for (let pieces = 1; page <= last; pieces++) {
      this.#sizes.next(page, 0, last - page + 1);
      const end = pieces === MOST_PIECES ? last : page + this.#sizes.pages - 1;
      const removed = list.remove(page, end);
      // the driver gives up where something was not mapped
      if (removed < end - page + 1) return;
      this.#request(VIRTIO_REQUEST.unmap, domain, page, page + removed - 1, 0);
      page += removed;
    }
  }

  defer(intent: UnmapIntent): void {
    this.unmap(intent);
  }

  sync(_domain: DomainId, _cpu: number, _task: number): void {
    this.#kick();
  }

  ranges(_domain: DomainId, _ranges: readonly FlushRange[]): void {
    this.#kick();
  }

  all(_domain: DomainId): void {
    this.#kick();
  }

  #request(w0Lo: number, domain: DomainId, first: PageNumber, last: PageNumber, phys: PageNumber): void {
    // without an endpoint the device knows nothing of the domain
    if (this.#tags.of(domain).length === 0) return;
    this.#queued = true;
    this.#emit.command(
      ABSENT,
      w0Lo,
      domain,
      pageLow(first),
      pageHigh(first),
      pageLow(last) | 0xfff,
      pageHigh(last),
      pageLow(phys),
      pageHigh(phys),
    );
  }

  #kick(): void {
    if (!this.#queued) return;
    this.#queued = false;
    this.#emit.submit(ABSENT);
  }

  #listOf(domain: DomainId): MappingList {
    let list = this.#mappings.get(domain);
    if (list === undefined) {
      list = new MappingList();
      this.#mappings.set(domain, list);
    }
    return list;
  }
}
