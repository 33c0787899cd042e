/** Writes protobuf messages (protobuf.dev, Encoding): tags, varints, length-delimited fields. Grows; reused after `clear`. */
export class ProtoWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): this {
    this.#length = 0;
    return this;
  }

  /** A non-negative integer below 2^53. */
  uint(field: number, value: number): this {
    this.#varint(field * 8);
    return this.#varint(value);
  }

  /** 64 bits, unsigned; of a negative value its two's complement, as `int64` fields want it. */
  long(field: number, value: bigint): this {
    this.#varint(field * 8);
    let rest = BigInt.asUintN(64, value);
    this.#room(10);
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
    return this;
  }

  /** An `int32` or `int64` field. */
  int(field: number, value: number): this {
    return value >= 0 ? this.uint(field, value) : this.long(field, BigInt(value));
  }

  double(field: number, value: number): this {
    this.#varint(field * 8 + 1);
    this.#room(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  /** A length-delimited field: a string, bytes, or a message that another writer holds. */
  data(field: number, value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value.toWellFormed()) : value;
    this.#varint(field * 8 + 2);
    this.#varint(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #varint(value: number): this {
    this.#room(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    bytes.set(this.bytes);
    this.#bytes = bytes;
  }
}
