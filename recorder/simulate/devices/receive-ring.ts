import type { PageNumber } from '../../../traces/units.ts';

/** Packets begin at multiples of so many bytes of a descriptor (the strides of mlx5's receive queues). */
const STRIDE = 256;

/** One descriptor of many pages that lie anywhere in the I/O address space, in the order in which the device fills them. */
export type Descriptor = readonly PageNumber[];

/** Receive descriptors of one core: the device fills the oldest, packet behind packet; the driver takes what is full. */
export class ReceiveRing {
  /** Packets that one descriptor takes. */
  readonly packets: number;
  /** Descriptors that the device is given. */
  readonly size: number;
  /** Bytes from one packet to the next. */
  readonly stride: number;
  readonly #posted: Descriptor[] = [];
  /** Of the posted ones, full and not yet taken. */
  #full = 0;
  #packet = 0;

  /** `ring`: packets for which there is place; at least two descriptors, so that one can be filled while another is taken. */
  constructor(ring: number, descriptorPages: number, packetBytes: number) {
    this.stride = Math.ceil(packetBytes / STRIDE) * STRIDE;
    this.packets = Math.floor((descriptorPages * 4096) / this.stride);
    this.size = Math.max(2, Math.ceil(ring / Math.max(1, this.packets)));
  }

  get room(): number {
    return this.size - this.#posted.length;
  }

  /** Full descriptors that the driver has not taken. */
  get full(): number {
    return this.#full;
  }

  /** No descriptor is left that isn't full. */
  get stalled(): boolean {
    return this.#full === this.#posted.length;
  }

  /** The next packet is the first of its descriptor. */
  get atStart(): boolean {
    return this.#packet === 0;
  }

  post(descriptor: Descriptor): void {
    this.#posted.push(descriptor);
  }

  /** The oldest full descriptor, which is the driver's again. */
  take(): Descriptor {
    const oldest = this.#posted.shift();
    if (oldest === undefined || this.#full === 0) throw new RangeError('no descriptor is full');
    this.#full--;
    return oldest;
  }

  /** The descriptor that the device fills, and the byte in it where the next packet begins. */
  next(): { readonly descriptor: Descriptor; readonly offset: number } {
    const descriptor = this.#posted[this.#full];
    if (descriptor === undefined) throw new RangeError('the ring is full');
    const offset = this.#packet * this.stride;
    this.#packet++;
    if (this.#packet === this.packets) {
      this.#packet = 0;
      this.#full++;
    }
    return { descriptor, offset };
  }
}
