import { memorySource } from '../../../traces/format/bytes-io.ts';
import type { ByteSource } from '../../../traces/format/bytes-io.ts';

/** What keeps a part of a file from being read. Caught where the part begins; the rest of the file is read on. */
export class DatDamage extends Error {
  readonly offset: number;

  constructor(what: string, offset: number) {
    super(what);
    this.name = 'DatDamage';
    this.offset = offset;
  }
}

/** Longest name in a file: of a system, a buffer, a clock. */
const MAX_NAME = 4096;
const DECODER = new TextDecoder('latin1');
const STEP = 16 * 1024;

/**
 * Reads numbers, names and texts one after the other, from a file or from a decompressed section. Every length is checked
 * against what is left before anything is allocated; what does not fit throws `DatDamage`.
 */
export class DatCursor {
  readonly #source: ByteSource;
  readonly #little: boolean;
  /** End of what may be read. */
  readonly end: number;
  pos: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;

  constructor(source: ByteSource, littleEndian: boolean, pos = 0, end = source.size) {
    this.#source = source;
    this.#little = littleEndian;
    this.pos = pos;
    this.end = Math.min(end, source.size);
  }

  get left(): number {
    return Math.max(0, this.end - this.pos);
  }

  u8(): number {
    return this.#take(1).getUint8(0);
  }

  u16(): number {
    return this.#take(2).getUint16(0, this.#little);
  }

  u32(): number {
    return this.#take(4).getUint32(0, this.#little);
  }

  /** A length or an offset; a larger one than any file has is damage. */
  u64(): number {
    const value = this.bigint();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new DatDamage(`number ${value} is too large`, this.pos - 8);
    return Number(value);
  }

  bigint(): bigint {
    return this.#take(8).getBigUint64(0, this.#little);
  }

  /** The next bytes; not to be changed. */
  bytes(length: number): Uint8Array {
    this.#check(length);
    const bytes = this.#source.read(this.pos, length);
    if (bytes.length < length)
      throw new DatDamage(`${length} bytes expected, the file ends after ${bytes.length}`, this.pos);
    this.pos += length;
    return bytes;
  }

  text(length: number): string {
    return DECODER.decode(this.bytes(length));
  }

  /** Up to a NUL, which is skipped. */
  name(): string {
    const limit = Math.min(this.left, MAX_NAME);
    const from = this.pos;
    for (let i = 0; i < limit; i++) {
      if (this.u8() !== 0) continue;
      this.pos = from;
      const text = this.text(i);
      this.pos++;
      return text;
    }
    throw new DatDamage(`a name has no end within ${limit} bytes`, from);
  }

  /** A cursor over the next bytes, which are skipped. */
  part(length: number): DatCursor {
    return bytesCursor(this.bytes(length), this.#little);
  }

  skip(length: number): void {
    this.#check(length);
    this.pos += length;
  }

  #check(length: number): void {
    if (length > this.left) {
      throw new DatDamage(`${length} bytes expected, ${this.left} are left`, this.pos);
    }
  }

  /** Small things come out of a window, so that a file is not asked for every number. */
  #take(length: number): DataView {
    this.#check(length);
    let at = this.pos - this.#windowAt;
    if (at < 0 || at + length > this.#window.length) {
      this.#window = this.#source.read(this.pos, Math.min(STEP, this.left));
      this.#windowAt = this.pos;
      at = 0;
      if (this.#window.length < length) throw new DatDamage('the file ends', this.pos);
    }
    this.pos += length;
    return new DataView(this.#window.buffer, this.#window.byteOffset + at, length);
  }
}

/** A cursor over bytes in memory. */
export function bytesCursor(bytes: Uint8Array, littleEndian: boolean): DatCursor {
  return new DatCursor(memorySource(bytes), littleEndian);
}
