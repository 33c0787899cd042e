import { ABSENT } from '../../traces/units.ts';
import type { DomainId, Nanoseconds, RequesterId } from '../../traces/units.ts';
import { ATTACH, CALL, DIALECT, FLUSH, INV_FORM, ORIGIN, RESET, STREAM_ID } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';

/** Low word of a wait descriptor as Linux writes it: status write, fence, type 5; status data 2 (drivers/iommu/intel/dmar.c). */
const WAIT_LO = 0x25;
const WAIT_HI = 2;
/** Descriptors in Linux's queue (QI_LENGTH, drivers/iommu/intel/iommu.h). */
const QUEUE_ENTRIES = 256;
/** A page-selective invalidation is at most this wide (CAP.MAMV of common hardware). */
const MAX_ADDRESS_MASK = 18;
/** Where the queue and its status words live; any page will do. */
const QUEUE_ADDRESS = 0x10817a000;
const STATUS_LO = 0x00042c00;
const STATUS_HI = 1;

/** A device of the simulated guest, with what its driver's events carry. */
export interface GuestDevice {
  readonly rid: RequesterId;
  readonly domain: DomainId;
  /** Where its driver runs. */
  readonly cpu: number;
  readonly task: number;
}

/** Requester id of the n-th device: buses of 32 devices from bus 1 on. Up to 8,160 of them. */
export function requesterOf(index: number): RequesterId {
  return ((1 + (index >> 5)) << 8) | ((index & 31) << 3);
}

/** Domain of the n-th device that has one of its own. VT-d reserves 0 and Linux keeps 1. */
export function domainOf(index: number): DomainId {
  return 2 + index;
}

/**
 * Address mask m of the smallest naturally aligned block of 2^m pages that holds a range: the number of bits of
 * (first XOR last), as drivers/iommu/intel/cache.c computes it. Pages are int32.
 */
export function addressMask(firstPage: number, lastPage: number): number {
  return 32 - Math.clz32(firstPage ^ lastPage);
}

/**
 * Writes the events of a Linux guest with one VT-d unit (legacy mode, second stage, queued invalidation) as its kernel's
 * trace and its hardware's log would show them together. Pages are 4 KiB page numbers below 2^31. Time stands where the last
 * event left it; `pass` moves it.
 */
export class VtdGuest {
  now: Nanoseconds = 0;
  /** Events so far. */
  events = 0;
  readonly #sink: EventSink;
  readonly #unit: number;
  readonly #hint: number;
  #queueIndex = 0;

  /** `hints`: page-selective commands say that only leaves changed (IH), as Linux has them since 6.19. */
  constructor(sink: EventSink, { unit = 'dmar0', hints = true } = {}) {
    this.#sink = sink;
    this.#unit = sink.intern(unit);
    this.#hint = hints ? 0x40 : 0;
  }

  pass(ns: Nanoseconds): void {
    this.now += ns;
  }

  #begin(stream: number, cpu: number, task: number): number {
    this.events++;
    return this.#sink.begin(stream, this.now, cpu, task, 0);
  }

  /** The queue is set up and translation is switched on. */
  boot(): void {
    const setup = this.#command(INV_FORM.reset, ABSENT, ABSENT, RESET.queueSetup, 0);
    const { inv } = this.#sink.rows;
    inv.columns.w1Lo[setup] = QUEUE_ADDRESS | 0;
    inv.columns.w1Hi[setup] = Math.floor(QUEUE_ADDRESS / 0x100000000);
    inv.columns.w2Lo[setup] = QUEUE_ENTRIES;
    this.pass(1000);
    this.#command(INV_FORM.reset, ABSENT, ABSENT, RESET.translationEnabled, 0);
    this.pass(1000);
  }

  /** The device joins a group of its own and gets a domain of its own, with one IOTLB tag. */
  attach(device: GuestDevice, group: number): void {
    this.#attachment(ATTACH.groupAdd, device, device.rid, ABSENT, group);
    this.pass(1000);
    this.#attachment(ATTACH.tagAssign, device, ABSENT, device.domain, 1);
    this.pass(1000);
    this.#attachment(ATTACH.attach, device, device.rid, ABSENT, 0);
    this.pass(1000);
  }

  /** A PASID of the device gets a domain, with one IOTLB tag and, as it has ATS, one of the device. */
  attachPasid(device: GuestDevice, pasid: number): void {
    for (const type of [0, 1]) {
      this.#attachment(ATTACH.tagAssign, device, type === 0 ? ABSENT : device.rid, device.domain, 1, pasid, type);
      this.pass(1000);
    }
    this.#attachment(ATTACH.attach, device, device.rid, device.domain, 0, pasid);
    this.pass(1000);
  }

  /** A tag names the unit itself, so its device is absent; the other kinds name no domain, as in the kernel's trace. */
  #attachment(
    kind: number,
    by: GuestDevice,
    rid: number,
    domain: number,
    refs: number,
    pasid = kind === ATTACH.tagAssign ? 0 : ABSENT,
    type: number = ABSENT,
  ): void {
    const row = this.#begin(STREAM_ID.attach, by.cpu, by.task);
    const { columns } = this.#sink.rows.attach;
    columns.kind[row] = kind;
    columns.device[row] = rid;
    columns.domain[row] = domain;
    columns.refs[row] = refs;
    if (kind === ATTACH.tagAssign) columns.unit[row] = this.#unit;
    if (pasid !== ABSENT) columns.pasid[row] = pasid;
    if (type !== ABSENT) columns.type[row] = type;
  }

  /** One `iommu:map`; contiguous in physical memory. */
  map(device: GuestDevice, page: number, physPage: number, pages: number, prot: number): void {
    const row = this.#begin(STREAM_ID.map, device.cpu, device.task);
    const { columns } = this.#sink.rows.map;
    columns.origin[row] = ORIGIN.iommu;
    columns.domain[row] = device.domain;
    columns.device[row] = device.rid;
    columns.iovaLo[row] = page << 12;
    columns.iovaHi[row] = page >>> 20;
    columns.physLo[row] = physPage << 12;
    columns.physHi[row] = physPage >>> 20;
    columns.sizeLo[row] = pages << 12;
    columns.sizeHi[row] = pages >>> 20;
    columns.prot[row] = prot;
    columns.call[row] = CALL.iommu;
  }

  /** One `iommu:unmap`. */
  unmap(device: GuestDevice, page: number, pages: number): void {
    const row = this.#begin(STREAM_ID.unmap, device.cpu, device.task);
    const { columns } = this.#sink.rows.unmap;
    columns.origin[row] = ORIGIN.iommu;
    columns.domain[row] = device.domain;
    columns.device[row] = device.rid;
    columns.iovaLo[row] = page << 12;
    columns.iovaHi[row] = page >>> 20;
    columns.sizeLo[row] = pages << 12;
    columns.sizeHi[row] = pages >>> 20;
    columns.unmappedLo[row] = pages << 12;
    columns.unmappedHi[row] = pages >>> 20;
    columns.call[row] = CALL.iommu;
  }

  /** The driver's own view of a map: one `dma:dma_map_page`, of bytes and not of pages. */
  dmaApiMap(device: GuestDevice, page: number, physPage: number, bytes: number, prot: number): void {
    const row = this.#begin(STREAM_ID.map, device.cpu, device.task);
    const { columns } = this.#sink.rows.map;
    columns.origin[row] = ORIGIN.dmaApi;
    columns.domain[row] = device.domain;
    columns.device[row] = device.rid;
    columns.iovaLo[row] = page << 12;
    columns.iovaHi[row] = page >>> 20;
    columns.physLo[row] = physPage << 12;
    columns.physHi[row] = physPage >>> 20;
    columns.sizeLo[row] = bytes;
    columns.prot[row] = prot;
    columns.call[row] = CALL.page;
  }

  /** One `dma:dma_unmap_page`. */
  dmaApiUnmap(device: GuestDevice, page: number, bytes: number): void {
    const row = this.#begin(STREAM_ID.unmap, device.cpu, device.task);
    const { columns } = this.#sink.rows.unmap;
    columns.origin[row] = ORIGIN.dmaApi;
    columns.domain[row] = device.domain;
    columns.device[row] = device.rid;
    columns.iovaLo[row] = page << 12;
    columns.iovaHi[row] = page >>> 20;
    columns.sizeLo[row] = bytes;
    columns.call[row] = CALL.page;
  }

  /** One access within a page; `outcome` stays unknown: a workload has no cache. */
  dma(
    device: GuestDevice,
    page: number,
    physPage: number,
    offset: number,
    bytes: number,
    access: number,
    pasid: number = ABSENT,
  ): void {
    const row = this.#begin(STREAM_ID.dma, ABSENT, ABSENT);
    const { columns } = this.#sink.rows.dma;
    columns.rid[row] = device.rid;
    if (pasid !== ABSENT) columns.pasid[row] = pasid;
    columns.domain[row] = device.domain;
    columns.iovaLo[row] = (page << 12) | offset;
    columns.iovaHi[row] = page >>> 20;
    columns.length[row] = bytes;
    columns.access[row] = access;
    columns.outLo[row] = (physPage << 12) | offset;
    columns.outHi[row] = physPage >>> 20;
    columns.pageShift[row] = 12;
  }

  /** A device's request for a page that it found missing; the last one of a group is answered. */
  pageRequest(device: GuestDevice, pasid: number, group: number, page: number, access: number, seq: number): void {
    const row = this.#begin(STREAM_ID.prq, device.cpu, device.task);
    const { columns } = this.#sink.rows.prq;
    columns.unit[row] = this.#unit;
    columns.rid[row] = device.rid;
    columns.pasid[row] = pasid;
    columns.group[row] = group;
    columns.iovaLo[row] = page << 12;
    columns.iovaHi[row] = page >>> 20;
    columns.access[row] = access;
    columns.seq[row] = seq;
  }

  /** The answer to a group: `code` as VT-d has it, 0 success, 1 invalid. */
  pageResponse(device: GuestDevice, pasid: number, group: number, code: number, latency: Nanoseconds): void {
    const row = this.#begin(STREAM_ID.prs, device.cpu, device.task);
    const { columns } = this.#sink.rows.prs;
    columns.unit[row] = this.#unit;
    columns.rid[row] = device.rid;
    columns.pasid[row] = pasid;
    columns.group[row] = group;
    columns.code[row] = code;
    columns.latencyLo[row] = latency | 0;
    columns.latencyHi[row] = Math.floor(latency / 0x100000000);
  }

  /** The decision to flush a range, above the commands (`cache_tag_flush_range`). */
  flushRange(device: GuestDevice, firstPage: number, lastPage: number): void {
    const mask = addressMask(firstPage, lastPage);
    const base = (firstPage >>> mask) << mask;
    const row = this.#begin(STREAM_ID.flush, device.cpu, device.task);
    const { columns } = this.#sink.rows.flush;
    columns.op[row] = FLUSH.range;
    columns.unit[row] = this.#unit;
    columns.domain[row] = device.domain;
    columns.pasid[row] = 0;
    columns.startLo[row] = firstPage << 12;
    columns.startHi[row] = firstPage >>> 20;
    columns.endLo[row] = (lastPage << 12) | 0xfff;
    columns.endHi[row] = lastPage >>> 20;
    columns.addrLo[row] = base << 12;
    columns.addrHi[row] = base >>> 20;
    columns.mask[row] = mask;
  }

  /**
   * One page-selective IOTLB invalidation of the block that holds the range (domain-selective where the block is too large),
   * with reads and writes drained; then the wait for it and the doorbell of both.
   */
  invalidateRange(device: GuestDevice, firstPage: number, lastPage: number): void {
    const mask = addressMask(firstPage, lastPage);
    if (mask > MAX_ADDRESS_MASK) {
      this.invalidateDomain(device);
      return;
    }
    const base = (firstPage >>> mask) << mask;
    this.#submit(device, (device.domain << 16) | 0xf2, (base << 12) | this.#hint | mask, base >>> 20);
  }

  /** One domain-selective IOTLB invalidation with its wait and doorbell. */
  invalidateDomain(device: GuestDevice): void {
    this.#submit(device, (device.domain << 16) | 0xe2, 0, 0);
  }

  #submit(device: GuestDevice, w0Lo: number, w1Lo: number, w1Hi: number): void {
    const { cpu, task } = device;
    const waitIndex = (this.#queueIndex + 1) % QUEUE_ENTRIES;
    this.#queueIndex = (this.#queueIndex + 2) % QUEUE_ENTRIES;
    this.#command(INV_FORM.doorbell, cpu, task, this.#queueIndex, 0);
    const row = this.#command(INV_FORM.words, cpu, task, w0Lo, 0);
    const { columns } = this.#sink.rows.inv;
    columns.w1Lo[row] = w1Lo;
    columns.w1Hi[row] = w1Hi;
    const wait = this.#command(INV_FORM.words, cpu, task, WAIT_LO, WAIT_HI);
    columns.w1Lo[wait] = STATUS_LO + 4 * waitIndex;
    columns.w1Hi[wait] = STATUS_HI;
  }

  #command(form: number, cpu: number, task: number, w0Lo: number, w0Hi: number): number {
    const row = this.#begin(STREAM_ID.inv, cpu, task);
    const { columns } = this.#sink.rows.inv;
    columns.unit[row] = this.#unit;
    columns.dialect[row] = DIALECT.vtd;
    columns.form[row] = form;
    columns.w0Lo[row] = w0Lo;
    columns.w0Hi[row] = w0Hi;
    return row;
  }
}
