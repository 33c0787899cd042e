/** Raised inside the decoder for content that breaks the format; never leaves it. */
export class ZstdDamage extends Error {}

/** Position of the highest set bit (`msb(1)` is 0); -1 for 0. */
export function msb(value: number): number {
  return 31 - Math.clz32(value);
}

/**
 * Reads a bit stream backwards, as Huffman and sequence streams are written (RFC 8878 4.1): from the last set bit of the last
 * byte down. The bytes need 8 readable bytes of any value around both ends, see `PADDING`.
 */
export class BackwardBits {
  readonly #view: DataView;
  /** Bit offset in the view of the stream's first byte, and of what was not read yet. */
  #floor = 0;
  #at = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  /** Begins with the stream in `[start, end)`. */
  begin(start: number, end: number): void {
    const last = end > start ? this.#view.getUint8(end - 1) : 0;
    if (last === 0) throw new ZstdDamage('bit stream without an end mark');
    this.#floor = start * 8;
    this.#at = (end - 1) * 8 + msb(last);
  }

  /** Up to 25 bits. */
  read(count: number): number {
    const at = this.#at - count;
    if (at < this.#floor) throw new ZstdDamage('bit stream is too short');
    this.#at = at;
    return (this.#view.getInt32(at >>> 3, true) >>> (at & 7)) & ((1 << count) - 1);
  }

  /** So many bits are left. */
  has(count: number): boolean {
    return this.#at - count >= this.#floor;
  }

  /** Exactly used up. */
  get finished(): boolean {
    return this.#at === this.#floor;
  }
}

/** Bytes that buffers given to the bit readers have before and behind the data. */
export const PADDING = 8;
