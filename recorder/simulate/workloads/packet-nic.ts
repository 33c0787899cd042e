import type { Random } from '../../../traces/random.ts';
import { ACCESS } from '../../../traces/schema.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { COMMANDS } from '../parameter.ts';
import type { ParameterValues } from '../parameter.ts';
import { VtdGuest, requesterOf } from '../vtd-guest.ts';
import type { GuestDevice } from '../vtd-guest.ts';
import { EVENTS, YIELD_EVENTS } from '../workload.ts';
import type { Workload } from '../workload.ts';

/** IOVAs grow down from 4 GiB, as Linux gives them to PCI devices. */
const TOP_PAGE = 0x100000;
/** First physical page of device buffers: 4 GiB, so that addresses need both words. */
const PHYS_PAGE = 0x100000;
const DESCRIPTOR_BYTES = 16;
/** VT-d domain id 0 is reserved and Linux keeps 1; the first free one is 2. */
const FIRST_DOMAIN = 2;

/** One direction of one device: a descriptor ring, and the buffers in flight, oldest first. */
interface Ring {
  readonly descriptorPage: number;
  readonly descriptorPhys: number;
  readonly entries: number;
  /** Buffers in flight at most (rx: always this many). */
  readonly depth: number;
  /** Circular: first page and length in bytes of each buffer in flight. */
  readonly buffers: Int32Array;
  readonly bytes: Int32Array;
  oldest: number;
  inFlight: number;
  /** Next descriptor that the device reads. */
  next: number;
}

interface Nic {
  readonly device: GuestDevice;
  readonly rx: Ring;
  readonly tx: Ring;
  /** Free IOVA slots (first pages), the most recently freed on top, as the kernel's per-CPU caches hand them out. */
  readonly free: Int32Array;
  freeCount: number;
  readonly physBase: number;
}

/** Network cards without pages that outlive a packet: each maps a buffer, is moved by DMA through a descriptor ring, and unmaps its buffer. */
export const packetNic: Workload = {
  name: 'packet-nic',
  summary: 'network cards whose every packet maps, moves by DMA and unmaps a buffer of its own',
  streams: ['map', 'unmap', 'attach', 'inv', 'dma', 'flush'],
  parameters: [
    EVENTS,
    {
      kind: 'number',
      name: 'devices',
      about: 'network cards, each with a domain of its own',
      default: 2,
      min: 1,
      max: 1024,
    },
    { kind: 'number', name: 'ring', about: 'buffers in flight per ring', default: 256, min: 1, max: 4096 },
    {
      kind: 'number',
      name: 'buffer',
      about: 'bytes of a buffer, mapped in whole pages',
      default: 2048,
      min: 64,
      max: 65536,
    },
    { kind: 'number', name: 'rx', about: 'share of received packets', default: 0.5, min: 0, max: 1, fraction: true },
    { kind: 'number', name: 'cpus', about: 'CPUs that the drivers run on', default: 2, min: 1, max: 1024 },
    { kind: 'number', name: 'gap', about: 'mean ns between packets', default: 2000, min: 1, max: 1e9 },
    COMMANDS,
    {
      kind: 'choice',
      name: 'calls',
      about: 'whether the DMA API calls are recorded beside the page-table changes',
      default: 'no',
      choices: ['no', 'yes'],
    },
  ],

  *generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number> {
    const events = values.number('events');
    const gap = values.number('gap');
    const rxShare = values.number('rx');
    const buffer = values.number('buffer');
    const driver: Driver = {
      guest: new VtdGuest(sink),
      random,
      buffer,
      strict: values.choice('commands') === 'strict',
      calls: values.choice('calls') === 'yes',
      pages: 1 << (32 - Math.clz32(Math.ceil(buffer / 4096) - 1)),
    };
    const nics = buildNics(values, driver.pages);
    const { guest } = driver;
    guest.boot();
    for (const [i, nic] of nics.entries()) {
      guest.attach(nic.device, i);
      for (const ring of [nic.rx, nic.tx]) {
        const pages = Math.ceil((ring.entries * DESCRIPTOR_BYTES) / 4096);
        guest.map(nic.device, ring.descriptorPage, ring.descriptorPhys, pages, ACCESS.read | ACCESS.write);
        guest.pass(100);
      }
      if (guest.events >= events) return;
    }
    let reported = 0;
    for (const nic of nics) {
      while (nic.rx.inFlight < nic.rx.depth && guest.events < events) postBuffer(driver, nic, nic.rx, buffer);
      yield (reported = guest.events);
    }
    while (guest.events < events) {
      const nic = nics[random.below(nics.length)] as Nic;
      guest.pass(1 + random.below(2 * gap));
      if (random.chance(rxShare)) receive(driver, nic);
      else send(driver, nic);
      if (guest.events - reported >= YIELD_EVENTS) yield (reported = guest.events);
    }
    yield guest.events;
  },
};

interface Driver {
  readonly guest: VtdGuest;
  readonly random: Random;
  /** Bytes of a buffer. */
  readonly buffer: number;
  readonly strict: boolean;
  readonly calls: boolean;
  /** Pages of an IOVA slot: a power of two, and slots are aligned to it, as Linux allocates. */
  readonly pages: number;
}

/** The device fills the oldest posted buffer; the driver takes it down and posts another. */
function receive(driver: Driver, nic: Nic): void {
  const { guest, random } = driver;
  const bytes = 1 + random.below(driver.buffer);
  accessDescriptor(driver, nic, nic.rx, ACCESS.read);
  accessBuffer(driver, nic, nic.rx.buffers[nic.rx.oldest] as number, bytes, ACCESS.write);
  accessDescriptor(driver, nic, nic.rx, ACCESS.write);
  nic.rx.next = (nic.rx.next + 1) % nic.rx.entries;
  guest.pass(200);
  retireOldest(driver, nic, nic.rx);
  postBuffer(driver, nic, nic.rx, driver.buffer);
}

/** The driver maps a packet, the device reads it; buffers are taken down in order once the ring is full. */
function send(driver: Driver, nic: Nic): void {
  const { guest, random } = driver;
  if (nic.tx.inFlight === nic.tx.depth) retireOldest(driver, nic, nic.tx);
  const bytes = 1 + random.below(driver.buffer);
  const page = postBuffer(driver, nic, nic.tx, bytes);
  guest.pass(200);
  accessDescriptor(driver, nic, nic.tx, ACCESS.read);
  accessBuffer(driver, nic, page, bytes, ACCESS.read);
  accessDescriptor(driver, nic, nic.tx, ACCESS.write);
  nic.tx.next = (nic.tx.next + 1) % nic.tx.entries;
}

function postBuffer(driver: Driver, nic: Nic, ring: Ring, bytes: number): number {
  const { guest } = driver;
  const page = nic.free[--nic.freeCount] as number;
  const phys = physOf(nic, page);
  const prot = ring === nic.rx ? ACCESS.write : ACCESS.read;
  guest.map(nic.device, page, phys, Math.ceil(bytes / 4096), prot);
  guest.pass(50);
  if (driver.calls) {
    guest.dmaApiMap(nic.device, page, phys, bytes, prot);
    guest.pass(50);
  }
  const slot = (ring.oldest + ring.inFlight) % ring.depth;
  ring.buffers[slot] = page;
  ring.bytes[slot] = bytes;
  ring.inFlight++;
  return page;
}

function retireOldest(driver: Driver, nic: Nic, ring: Ring): void {
  const { guest } = driver;
  const page = ring.buffers[ring.oldest] as number;
  const bytes = ring.bytes[ring.oldest] as number;
  const pages = Math.ceil(bytes / 4096);
  ring.oldest = (ring.oldest + 1) % ring.depth;
  ring.inFlight--;
  guest.unmap(nic.device, page, pages);
  guest.pass(50);
  if (driver.strict) {
    guest.flushRange(nic.device, page, page + pages - 1);
    guest.pass(50);
    guest.invalidateRange(nic.device, page, page + pages - 1);
    guest.pass(400);
  }
  if (driver.calls) {
    guest.dmaApiUnmap(nic.device, page, bytes);
    guest.pass(50);
  }
  nic.free[nic.freeCount++] = page;
}

function accessDescriptor(driver: Driver, nic: Nic, ring: Ring, access: number): void {
  const at = ring.next * DESCRIPTOR_BYTES;
  const page = at >>> 12;
  driver.guest.dma(
    nic.device,
    ring.descriptorPage + page,
    ring.descriptorPhys + page,
    at & 0xfff,
    DESCRIPTOR_BYTES,
    access,
  );
  driver.guest.pass(20);
}

function accessBuffer(driver: Driver, nic: Nic, page: number, bytes: number, access: number): void {
  const phys = physOf(nic, page);
  for (let k = 0, left = bytes; left > 0; k++, left -= 4096) {
    driver.guest.dma(nic.device, page + k, phys + k, 0, Math.min(left, 4096), access);
    driver.guest.pass(20);
  }
}

/** Buffers lie scattered in memory: the slot's place in the IOVA space with its low bits turned over, within a 1 GiB area. */
function physOf(nic: Nic, page: number): number {
  return nic.physBase + ((page ^ 0x15540) & 0x3ffff);
}

function buildNics(values: ParameterValues, pages: number): Nic[] {
  const depth = values.number('ring');
  const cpus = values.number('cpus');
  // At most 8,193 slots of 16 pages: they fit the top 1 GiB, and so `physOf`.
  const slots = depth * 2 + 1;
  const ringPages = Math.ceil((depth * DESCRIPTOR_BYTES) / 4096);
  return Array.from({ length: values.number('devices') }, (_, i) => {
    const physBase = PHYS_PAGE + i * 0x80000;
    const ring = (k: number): Ring => ({
      descriptorPage: TOP_PAGE - (k + 1) * ringPages,
      descriptorPhys: physBase + 0x40000 + k * ringPages,
      entries: depth,
      depth,
      buffers: new Int32Array(depth),
      bytes: new Int32Array(depth),
      oldest: 0,
      inFlight: 0,
      next: 0,
    });
    const first = Math.floor((TOP_PAGE - 2 * ringPages) / pages) * pages;
    return {
      device: { rid: requesterOf(i), domain: FIRST_DOMAIN + i, cpu: i % cpus, task: 100 + i },
      rx: ring(0),
      tx: ring(1),
      free: Int32Array.from({ length: slots }, (_unused, k) => first - (slots - k) * pages),
      freeCount: slots,
      physBase,
    };
  });
}
