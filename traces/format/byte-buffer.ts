/** A growing byte buffer for encoders: call `reserve(n)` once, then write n bytes at most without checks. */
export class ByteBuffer {
  bytes: Uint8Array;
  length = 0;

  constructor(bytes: Uint8Array = new Uint8Array(1 << 16)) {
    this.bytes = bytes;
  }

  clear(): void {
    this.length = 0;
  }

  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
  }

  /** Writes an unsigned integer below 2^53 as LEB128. Needs 8 bytes reserved. */
  varint(value: number): void {
    const { bytes } = this;
    let at = this.length;
    let rest = value;
    while (rest >= 0x80000000) {
      bytes[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** Reads what `ByteBuffer` wrote. Throws `RangeError` at the end of the bytes or where a number exceeds 2^53. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new RangeError('column ends early');
    return value;
  }

  varint(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    // one or two bytes, nearly always
    const second = this.byte();
    if (second < 0x80) return (first & 0x7f) | (second << 7);
    let value = (first & 0x7f) | ((second & 0x7f) << 7);
    let factor = 128 * 128;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 128;
      if (factor > 2 ** 49) throw new RangeError('number too large');
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('number too large');
    return value;
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.at);
  }
}
