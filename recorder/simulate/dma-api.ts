import type { DomainId, PageNumber, RequesterId } from '../../traces/units.ts';
import type { IovaAllocator } from './iova-allocator.ts';
import type { GuestDevice, VtdGuest } from './vtd-guest.ts';

/** What driver and kernel spend, in ns of the trace's clock: orders of magnitude, so that events lie apart in time. */
const MAP_NS = 100;
const UNMAP_NS = 100;
const FLUSH_NS = 400;
const ACCESS_NS = 20;

/** I/O virtual addresses below 4 GiB, as a PCI device gets them (drivers/iommu/dma-iommu.c). */
export const TOP_PAGE: PageNumber = 0x100000;
/** First physical page: 4 GiB, so that addresses need both words. */
const PHYS_PAGE = 0x100000;
/** Buffers lie elsewhere in memory than in the I/O address space; what is one range stays one, and aligned up to 2 MiB. */
const PHYS_FLIP = 0x2a800;
/** VT-d domain id 0 is reserved and Linux keeps 1; the first free one is 2. */
const FIRST_DOMAIN: DomainId = 2;
const TASK = 100;

/**
 * The DMA API of one device: addresses from Linux's allocator, a change of the page table for each call, and, where the system is
 * strict and its commands are wanted, the flush of each unmap.
 */
export class DmaApi {
  readonly guest: VtdGuest;
  readonly rid: RequesterId;
  readonly domain: DomainId;
  readonly #index: number;
  readonly #allocator: IovaAllocator;
  readonly #flushes: boolean;
  readonly #callers: readonly GuestDevice[];

  /** `index`: of the device, which gives it its requester id and domain; `cpus`: that its driver runs on. */
  constructor(
    guest: VtdGuest,
    index: number,
    rid: RequesterId,
    allocator: IovaAllocator,
    { cpus, flushes }: { readonly cpus: number; readonly flushes: boolean },
  ) {
    this.guest = guest;
    this.rid = rid;
    this.domain = FIRST_DOMAIN + index;
    this.#index = index;
    this.#allocator = allocator;
    this.#flushes = flushes;
    this.#callers = Array.from({ length: cpus }, (_, cpu) => ({ rid, domain: this.domain, cpu, task: TASK + cpu }));
  }

  attach(): void {
    this.guest.attach(this.#caller(0), this.#index);
  }

  /** Maps one physically contiguous range, with one event; returns the first I/O virtual page. */
  map(cpu: number, pages: number, prot: number): PageNumber {
    const page = this.#allocator.allocate(cpu, pages);
    this.guest.map(this.#caller(cpu), page, this.#physOf(page), pages, prot);
    this.guest.pass(MAP_NS);
    return page;
  }

  unmap(cpu: number, page: PageNumber, pages: number): void {
    const caller = this.#caller(cpu);
    this.guest.unmap(caller, page, pages);
    this.guest.pass(UNMAP_NS);
    if (this.#flushes) {
      this.guest.flushRange(caller, page, page + pages - 1);
      this.guest.invalidateRange(caller, page, page + pages - 1);
    }
    this.guest.pass(FLUSH_NS);
    this.#allocator.release(cpu, page, pages);
  }

  /** The device accesses bytes of one page. */
  access(page: PageNumber, offset: number, bytes: number, access: number): void {
    this.guest.dma(this.#caller(0), page, this.#physOf(page), offset, bytes, access);
    this.guest.pass(ACCESS_NS);
  }

  #physOf(page: PageNumber): PageNumber {
    return PHYS_PAGE + this.#index * TOP_PAGE + (page ^ PHYS_FLIP);
  }

  #caller(cpu: number): GuestDevice {
    const caller = this.#callers[cpu];
    if (caller === undefined) throw new RangeError(`the driver does not run on CPU ${cpu}`);
    return caller;
  }
}
