/** Two 32-bit words as the 64-bit one: measured, a DataView for each struct costs more than most calls do with it. */
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);
const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;

/** The kernel's copy of a call's struct, little-endian; reads beyond its end give 0, as the kernel's zeroed copy does. */
export class StructView {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  u16(offset: number): number {
    const { bytes } = this;
    return offset + 2 <= bytes.length ? (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8) : 0;
  }

  u32(offset: number): number {
    return this.i32(offset) >>> 0;
  }

  i32(offset: number): number {
    const { bytes } = this;
    if (offset + 4 > bytes.length) return 0;
    return (
      (bytes[offset] as number) |
      ((bytes[offset + 1] as number) << 8) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 3] as number) << 24)
    );
  }

  u64(offset: number): bigint {
    if (offset + 8 > this.bytes.length) return 0n;
    halves[LOW] = this.i32(offset);
    halves[1 - LOW] = this.i32(offset + 4);
    return whole[0] as bigint;
  }

  setU8(offset: number, value: number): void {
    if (offset < this.bytes.length) this.bytes[offset] = value;
  }

  setU32(offset: number, value: number): void {
    const { bytes } = this;
    if (offset + 4 > bytes.length) return;
    bytes[offset] = value;
    bytes[offset + 1] = value >>> 8;
    bytes[offset + 2] = value >>> 16;
    bytes[offset + 3] = value >>> 24;
  }

  setU64(offset: number, value: bigint): void {
    if (offset + 8 > this.bytes.length) return;
    whole[0] = value;
    this.setU32(offset, halves[LOW] as number);
    this.setU32(offset + 4, halves[1 - LOW] as number);
  }
}
