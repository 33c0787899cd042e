import type { Random } from '../../../traces/random.ts';
import { ACCESS } from '../../../traces/schema.ts';
import type { PageNumber } from '../../../traces/units.ts';
import type { Tenant } from '../tenant.ts';
import { domainOf, requesterOf } from '../vtd-guest.ts';
import type { GuestDevice, VtdGuest } from '../vtd-guest.ts';

/** Pages of a MiB. */
const MEGABYTE = 256;
/** Pages of one map call: VFIO pins and maps a run of contiguous memory at a time; 1 GiB. */
const CHUNK = 0x40000;
/** Hot memory lies scattered in pieces of so many pages. */
const PIECE = 64;
/** Odd: multiplying by it turns the numbers of any power of two of pieces over. */
const TURN = 0x9e3779b1;
/** Pages between the memory of two machines: 64 GiB. */
const APART = 0x1000000;
const MAP_NS = 100_000;
const ACCESS_NS = 20;
const TASK = 100;

/** Memory and load of one virtual machine's device; all are settings of the workload. */
export interface VmShape {
  readonly megabytes: number;
  /** Size of the leaves of its I/O page table, as its memory is backed. */
  readonly leaf: '4k' | '2m';
  readonly hotMegabytes: number;
  /** Share of the runs that begin in hot memory; the rest begin anywhere. */
  readonly hotShare: number;
  /** Share of the runs that write. */
  readonly writes: number;
  /** Pages behind each other that one run accesses. */
  readonly run: number;
  /** Mean ns between runs. */
  readonly gap: number;
}

/**
 * A device that is passed through to a virtual machine: all of the machine's memory is mapped from the start and stays so (VFIO),
 * and the device accesses where the guest's driver tells it to. Holds nothing for each page.
 */
export class VmDevice implements Tenant {
  readonly #guest: VtdGuest;
  readonly #index: number;
  readonly #device: GuestDevice;
  readonly #shape: VmShape;
  readonly #random: Random;
  readonly #pages: number;
  readonly #pieces: number;
  readonly #hotPieces: number;

  /** `index`: of the device among those of the guest. */
  constructor(guest: VtdGuest, index: number, shape: VmShape, random: Random) {
    this.#guest = guest;
    this.#index = index;
    this.#device = { rid: requesterOf(index), domain: domainOf(index), cpu: 0, task: TASK + index };
    this.#shape = shape;
    this.#random = random;
    this.#pages = shape.megabytes * MEGABYTE;
    this.#pieces = this.#pages / PIECE;
    this.#hotPieces = Math.min(this.#pieces, (shape.hotMegabytes * MEGABYTE) / PIECE);
  }

  *start(): Generator<void> {
    this.#guest.attach(this.#device, this.#index);
    for (let page = 0; page < this.#pages; page += CHUNK) {
      const pages = Math.min(CHUNK, this.#pages - page);
      this.#guest.map(this.#device, page, this.#physOf(page), pages, ACCESS.read | ACCESS.write);
      this.#guest.pass(MAP_NS);
      yield;
    }
  }

  step(): void {
    const { hotShare, writes, run, gap } = this.#shape;
    const random = this.#random;
    this.#guest.pass(1 + random.below(2 * gap));
    const access = random.chance(writes) ? ACCESS.write : ACCESS.read;
    const piece = random.chance(hotShare) ? this.#turned(random.below(this.#hotPieces)) : random.below(this.#pieces);
    const first = piece * PIECE + random.below(PIECE);
    for (let i = 0; i < run; i++) {
      const page = (first + i) % this.#pages;
      this.#guest.dma(this.#device, page, this.#physOf(page), 0, 4096, access);
      this.#guest.pass(ACCESS_NS);
    }
  }

  /** The n-th piece in an order without locality. */
  #turned(n: number): number {
    const size = 2 ** Math.ceil(Math.log2(this.#pieces));
    let at = n;
    do at = (Math.imul(at, TURN) >>> 0) % size;
    while (at >= this.#pieces);
    return at;
  }

  /** Memory is contiguous by pages of its backing alone: it lies off by one of them, so that no larger leaf fits. */
  #physOf(page: PageNumber): PageNumber {
    return this.#index * APART + page + (this.#shape.leaf === '2m' ? 2 * MEGABYTE : 1);
  }
}
