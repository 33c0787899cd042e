const TWO_32 = 4294967296;

/** 64-bit values as pairs of int32 words. Reused from event to event. */
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
