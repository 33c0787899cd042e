/** Builds the bytes of a file piece by piece. */
export class ByteParts {
  readonly #little: boolean;
  readonly #parts: Buffer[] = [];
  length = 0;

  constructor(littleEndian: boolean) {
    this.#little = littleEndian;
  }

  add(bytes: Uint8Array | string): this {
    const part = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
    this.#parts.push(part);
    this.length += part.length;
    return this;
  }

  number(value: number | bigint, bytes: 1 | 2 | 4 | 8): this {
    const part = Buffer.alloc(8);
    if (this.#little) part.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
    else part.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
    return this.add(this.#little ? part.subarray(0, bytes) : part.subarray(8 - bytes));
  }

  name(text: string): this {
    return this.add(`${text}\0`);
  }

  sized(text: string): this {
    return this.number(Buffer.byteLength(text, 'latin1'), 8).add(text);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
