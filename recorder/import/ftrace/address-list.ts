import type { ByteCursor } from '../byte-cursor.ts';
import { ascii } from '../byte-cursor.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
/** The kernel prints at most 128 elements; a line of `MAX_LINE_BYTES` could hold more. */
const MAX_ELEMENTS = 65536;
const TWO_32 = 4294967296;
const EMPTY = ascii('(null)');

/** `{0x111ea3000,0x11093d000}`: the 64-bit elements of a printed array, as pairs of int32 words. Reused from line to line. */
export class AddressList {
  lo = new Int32Array(128);
  hi = new Int32Array(128);
  count = 0;
  sumLo = 0;
  sumHi = 0;

  get firstLo(): number {
    return this.count === 0 ? 0 : this.lo[0]!;
  }

  get firstHi(): number {
    return this.count === 0 ? 0 : this.hi[0]!;
  }

  clear(): void {
    this.count = 0;
  }

  add(lo: number, hi: number): void {
    const at = this.count++;
    if (at >= this.lo.length) {
      const lows = new Int32Array(at * 2);
      const highs = new Int32Array(at * 2);
      lows.set(this.lo);
      highs.set(this.hi);
      this.lo = lows;
      this.hi = highs;
    }
    this.lo[at] = lo;
    this.hi[at] = hi;
  }

  /** Reads a list at the cursor. False if it isn't one, or holds more elements than a kernel would print. */
  read(cursor: ByteCursor): boolean {
    this.count = 0;
    const { pos } = cursor;
    if (cursor.literal(EMPTY)) return true;
    cursor.pos = pos;
    if (!cursor.byte(OPEN)) return false;
    if (cursor.pos < cursor.end && cursor.bytes[cursor.pos] === CLOSE) {
      cursor.pos++;
      return true;
    }
    for (;;) {
      if (!cursor.hex0x() || this.count >= MAX_ELEMENTS) return false;
      this.add(cursor.lo, cursor.hi);
      const next = cursor.pos < cursor.end ? cursor.bytes[cursor.pos++] : 0;
      if (next === CLOSE) return true;
      if (next !== COMMA) return false;
    }
  }

  /** Sum of the elements modulo 2^64, to `sumLo` and `sumHi`. */
  sum(): void {
    let low = 0;
    let high = 0;
    for (let i = 0; i < this.count; i++) {
      low += this.lo[i]! >>> 0;
      high += this.hi[i]! >>> 0;
    }
    high += Math.floor(low / TWO_32);
    this.sumLo = (low % TWO_32) | 0;
    this.sumHi = (high % TWO_32) | 0;
  }
}

/** Builds the bytes of a `list` column (traces/sg-list.ts) from three lists, without a BigInt per element. */
export class SgBytes {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);

  /** The result is only valid until the next call. `dma` and `sizes` have the same number of elements. */
  encode(dma: AddressList, sizes: AddressList, phys: AddressList): Uint8Array {
    const length = 8 + dma.count * 16 + phys.count * 8;
    if (length > this.#bytes.length) {
      this.#bytes = new Uint8Array(length);
      this.#view = new DataView(this.#bytes.buffer);
    }
    const view = this.#view;
    view.setUint32(0, dma.count, true);
    view.setUint32(4, phys.count, true);
    let at = 8;
    for (let i = 0; i < dma.count; i++) {
      view.setInt32(at, dma.lo[i]!, true);
      view.setInt32(at + 4, dma.hi[i]!, true);
      view.setInt32(at + 8, sizes.lo[i]!, true);
      view.setInt32(at + 12, sizes.hi[i]!, true);
      at += 16;
    }
    for (let i = 0; i < phys.count; i++) {
      view.setInt32(at, phys.lo[i]!, true);
      view.setInt32(at + 4, phys.hi[i]!, true);
      at += 8;
    }
    return this.#bytes.subarray(0, length);
  }
}
