import type { Random } from '../../../traces/random.ts';
import { ACCESS } from '../../../traces/schema.ts';
import type { PageNumber } from '../../../traces/units.ts';
import type { DmaApi } from '../dma-api.ts';
import type { Tenant } from '../tenant.ts';
import { QueueMemory } from './queue-memory.ts';
import { ReceiveRing } from './receive-ring.ts';

/** Bytes that one entry of a work or completion queue takes. */
const ENTRY = 64;
/** An acknowledgement with its headers. */
const ACK_BYTES = 66;

/** Shape and traffic of one card; all are settings of the workload. */
export interface NicShape {
  readonly cores: number;
  readonly flows: number;
  /** Packets for which a receive ring has place. */
  readonly ring: number;
  /** Pages of one receive descriptor. */
  readonly descriptorPages: number;
  readonly mtu: number;
  /** Bytes of one access of the device. */
  readonly accessBytes: number;
  /** Packets of one flow that come behind each other. */
  readonly train: number;
  /** Packets of a core that its driver handles at once. */
  readonly poll: number;
  /** Transmit pages for each received page. */
  readonly acks: number;
  /** Transmit pages that are posted and completed together. */
  readonly transmitBatch: number;
  /** Transmit pages of a core that wait for their completion. */
  readonly transmitDepth: number;
  /** Mean ns between packets. */
  readonly gap: number;
}

interface Core {
  readonly cpu: number;
  readonly receive: ReceiveRing;
  readonly receiveQueue: QueueMemory;
  readonly receiveDone: QueueMemory;
  readonly transmitQueue: QueueMemory;
  readonly transmitDone: QueueMemory;
  /** Oldest first. */
  readonly transmitted: PageNumber[];
  /** Packets since the driver last looked. */
  pending: number;
  /** Transmit pages that are due. */
  due: number;
}

/**
 * A network card with a receive ring of descriptors of many pages for each core, and a transmit ring for acknowledgements. Each
 * page of a descriptor has an address of its own. The driver unmaps the pages of a full descriptor one behind the other and posts
 * a new one; it reaps transmit pages when it sends the next.
 */
export class RingNic implements Tenant {
  readonly #api: DmaApi;
  readonly #shape: NicShape;
  readonly #random: Random;
  readonly #cores: Core[] = [];
  #flow = 0;
  #left = 0;

  constructor(api: DmaApi, shape: NicShape, random: Random) {
    this.#api = api;
    this.#shape = shape;
    this.#random = random;
  }

  *start(): Generator<void> {
    const { cores, ring, descriptorPages, mtu } = this.#shape;
    this.#api.attach();
    for (let cpu = 0; cpu < cores; cpu++) {
      const receive = new ReceiveRing(ring, descriptorPages, mtu);
      const queue = (entries: number): QueueMemory => new QueueMemory(this.#api, cpu, entries, ENTRY);
      this.#cores.push({
        cpu,
        receive,
        receiveQueue: queue(receive.size),
        receiveDone: queue(receive.size * receive.packets),
        transmitQueue: queue(ring),
        transmitDone: queue(ring),
        transmitted: [],
        pending: 0,
        due: 0,
      });
      yield;
    }
    for (const core of this.#cores) {
      while (core.receive.room > 0) {
        this.#post(core);
        yield;
      }
    }
  }

  /** One packet is received, with what the driver does for it. */
  step(): void {
    const { cores, flows, train, poll, acks, gap } = this.#shape;
    const random = this.#random;
    if (this.#left === 0) {
      this.#flow = random.below(flows);
      this.#left = train;
    }
    this.#left--;
    const core = this.#cores[this.#flow % cores];
    if (core === undefined) throw new RangeError(`no core for flow ${this.#flow}`);
    this.#api.guest.pass(1 + random.below(2 * gap));
    this.#receive(core);
    core.pending++;
    if (core.pending >= poll || core.receive.stalled) this.#serve(core);
    core.due += (acks * core.receive.stride) / 4096;
    while (core.due >= this.#shape.transmitBatch) this.#transmit(core);
  }

  #receive(core: Core): void {
    const { mtu, accessBytes } = this.#shape;
    if (core.receive.atStart) core.receiveQueue.next(ACCESS.read);
    const { descriptor, offset } = core.receive.next();
    for (let at = offset; at < offset + mtu; ) {
      const inPage = at & 0xfff;
      const bytes = Math.min(accessBytes, 4096 - inPage, offset + mtu - at);
      this.#api.access(descriptor[at >> 12] ?? 0, inPage, bytes, ACCESS.write);
      at += bytes;
    }
    core.receiveDone.next(ACCESS.write);
  }

  /** The driver takes what is full, and gives the device as much again. */
  #serve(core: Core): void {
    core.pending = 0;
    while (core.receive.full > 0) {
      for (const page of core.receive.take()) this.#api.unmap(core.cpu, page, 1);
      this.#post(core);
    }
  }

  #post(core: Core): void {
    const { descriptorPages } = this.#shape;
    const pages = Array.from({ length: descriptorPages }, () => this.#api.map(core.cpu, 1, ACCESS.write));
    core.receive.post(pages);
  }

  #transmit(core: Core): void {
    const { transmitBatch, transmitDepth } = this.#shape;
    const api = this.#api;
    core.due -= transmitBatch;
    while (core.transmitted.length > 0 && core.transmitted.length + transmitBatch > transmitDepth) {
      api.unmap(core.cpu, core.transmitted.shift() ?? 0, 1);
    }
    const pages = Array.from({ length: transmitBatch }, () => api.map(core.cpu, 1, ACCESS.read));
    for (const page of pages) {
      core.transmitQueue.next(ACCESS.read);
      api.access(page, 0, ACK_BYTES, ACCESS.read);
      core.transmitted.push(page);
    }
    core.transmitDone.next(ACCESS.write);
  }
}
