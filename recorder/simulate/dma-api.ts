import { IorrError } from '../../traces/errors.ts';
import type { DomainId, PageNumber, RequesterId } from '../../traces/units.ts';
import type { IovaAllocator } from './iova-allocator.ts';
import { scatteredPage } from './scattered-page.ts';
import { domainOf } from './vtd-guest.ts';
import type { GuestDevice, VtdGuest } from './vtd-guest.ts';

/** What driver and kernel spend, in ns of the trace's clock: orders of magnitude, so that events lie apart in time. */
const MAP_NS = 100;
const UNMAP_NS = 100;
const FLUSH_NS = 400;
const ACCESS_NS = 20;

/** I/O virtual addresses below 4 GiB, as a PCI device gets them (drivers/iommu/dma-iommu.c). */
export const TOP_PAGE: PageNumber = 0x100000;
/** Of these pages as many can be in use at a time: the allocator keeps some more, and alignment costs some. */
const USABLE_PAGES = 0xc0000;
const TASK = 100;

/** Throws `IorrError` USAGE where a device of these values would need more I/O addresses than there are below 4 GiB. */
export function checkAddresses(workload: string, pages: number, hint: string): void {
  if (pages <= USABLE_PAGES) return;
  throw new IorrError(
    'USAGE',
    `${workload}: ${pages} pages of I/O addresses in use; ${USABLE_PAGES} of those below 4 GiB are usable`,
    {
      hint,
    },
  );
}

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
    this.domain = domainOf(index);
    this.#index = index;
    this.#allocator = allocator;
    this.#flushes = flushes;
    this.#callers = Array.from({ length: cpus }, (_, cpu) => ({ rid, domain: this.domain, cpu, task: TASK + cpu }));
  }

  attach(): void {
    this.guest.attach(this.#caller(0), this.#index);
  }

  /** Maps pages that lie scattered in memory, as a scatter list is: one address range, one event a page. Returns the first page. */
  map(cpu: number, pages: number, prot: number): PageNumber {
    const page = this.#allocator.allocate(cpu, pages);
    for (let i = 0; i < pages; i++) {
      this.guest.map(this.#caller(cpu), page + i, scatteredPage(this.#index, page + i), 1, prot);
      this.guest.pass(MAP_NS);
    }
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
    this.guest.dma(this.#caller(0), page, scatteredPage(this.#index, page), offset, bytes, access);
    this.guest.pass(ACCESS_NS);
  }

  #caller(cpu: number): GuestDevice {
    const caller = this.#callers[cpu];
    if (caller === undefined) throw new RangeError(`the driver does not run on CPU ${cpu}`);
    return caller;
  }
}
