/** The kernel's copy of a call's struct, little-endian; reads beyond its end give 0, as the kernel's zeroed copy does. */
export class StructView {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(offset: number): number {
    return offset + 2 <= this.bytes.length ? this.#view.getUint16(offset, true) : 0;
  }

  u32(offset: number): number {
    return offset + 4 <= this.bytes.length ? this.#view.getUint32(offset, true) : 0;
  }

  i32(offset: number): number {
    return this.u32(offset) | 0;
  }

  u64(offset: number): bigint {
    return offset + 8 <= this.bytes.length ? this.#view.getBigUint64(offset, true) : 0n;
  }

  setU8(offset: number, value: number): void {
    if (offset < this.bytes.length) this.bytes[offset] = value;
  }

  setU32(offset: number, value: number): void {
    if (offset + 4 <= this.bytes.length) this.#view.setUint32(offset, value, true);
  }

  setU64(offset: number, value: bigint): void {
    if (offset + 8 <= this.bytes.length) this.#view.setBigUint64(offset, value, true);
  }
}
