/** Value of a hexadecimal digit by its ASCII code, 255 for any other byte. */
const HEX = new Uint8Array(256).fill(255);
for (let i = 0; i < 10; i++) HEX[0x30 + i] = i;
for (let i = 0; i < 6; i++) {
  HEX[0x41 + i] = 10 + i;
  HEX[0x61 + i] = 10 + i;
}

const SPACE = 0x20;
const ZERO = 0x30;
const TWO_32 = 4294967296;

/** The bytes of an ASCII text, for `literal` and `find`. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * Reads numbers and literals from a line's bytes, in place: no string, no regular expression and no allocation per line.
 * Every method that returns a boolean leaves `pos` behind what it read when true; when false the line is not of the expected
 * shape and `pos` means nothing. A number ends up in `lo` and `hi`, the two int32 words of a 64-bit value.
 */
export class ByteCursor {
  bytes: Uint8Array = new Uint8Array(0);
  pos = 0;
  end = 0;
  lo = 0;
  hi = 0;
  /** Limits of the newest `token`. */
  tokenStart = 0;
  tokenEnd = 0;

  set(bytes: Uint8Array, pos: number, end: number): void {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  /** `1f3a` or `0000000001000000`: 1 to 16 significant hexadecimal digits, without prefix. */
  hex(): boolean {
    const { bytes, end } = this;
    let pos = this.pos;
    const start = pos;
    let lo = 0;
    let hi = 0;
    while (pos < end) {
      const digit = HEX[bytes[pos]!]!;
      if (digit === 255) break;
      if (hi >>> 28 !== 0) return false;
      hi = (hi << 4) | (lo >>> 28);
      lo = (lo << 4) | digit;
      pos++;
    }
    this.lo = lo;
    this.hi = hi;
    this.pos = pos;
    return pos > start;
  }

  /** `0x1f3a`. */
  hex0x(): boolean {
    const { bytes, pos } = this;
    if (pos + 2 >= this.end || bytes[pos] !== ZERO || (bytes[pos + 1]! | 0x20) !== 0x78) return false;
    this.pos = pos + 2;
    return this.hex();
  }

  /** `4096`: decimal digits of a value below 2^64. */
  decimal(): boolean {
    const { bytes, end } = this;
    let pos = this.pos;
    const start = pos;
    // Up to 15 digits are exact in a double; one split gives the words.
    const stop = Math.min(end, start + 15);
    let value = 0;
    while (pos < stop) {
      const digit = bytes[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      pos++;
    }
    if (pos === start) return false;
    let lo = value % TWO_32;
    let hi = (value - lo) / TWO_32;
    while (pos < end) {
      const digit = bytes[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      lo = lo * 10 + digit;
      const carry = Math.floor(lo / TWO_32);
      lo -= carry * TWO_32;
      hi = hi * 10 + carry;
      if (hi >= TWO_32) return false;
      pos++;
    }
    this.lo = lo | 0;
    this.hi = hi | 0;
    this.pos = pos;
    return true;
  }

  /** `12` or `-1`: a decimal value that fits an int32 or an uint32, in `lo`. */
  int(): boolean {
    const negative = this.pos < this.end && this.bytes[this.pos] === 0x2d;
    if (negative) this.pos++;
    if (!this.decimal() || this.hi !== 0) return false;
    if (negative) this.lo = -this.lo | 0;
    return true;
  }

  /** Exactly these bytes. */
  literal(expected: Uint8Array): boolean {
    const { bytes, pos } = this;
    const n = expected.length;
    if (pos + n > this.end) return false;
    for (let i = 0; i < n; i++) if (bytes[pos + i] !== expected[i]) return false;
    this.pos = pos + n;
    return true;
  }

  /** Goes behind the next occurrence of these bytes; stays where it is if there is none. */
  find(wanted: Uint8Array): boolean {
    const { bytes } = this;
    const n = wanted.length;
    const first = wanted[0]!;
    const last = this.end - n;
    for (let pos = this.pos; pos <= last; pos++) {
      if (bytes[pos] !== first) continue;
      let i = 1;
      while (i < n && bytes[pos + i] === wanted[i]) i++;
      if (i === n) {
        this.pos = pos + n;
        return true;
      }
    }
    return false;
  }

  /** A non-empty word up to a space or the end; limits in `tokenStart` and `tokenEnd`. */
  token(): boolean {
    return this.tokenUntil(SPACE);
  }

  /** A non-empty word up to this byte or the end; a space before it ends the word too. */
  tokenUntil(stop: number): boolean {
    const { bytes, end } = this;
    let pos = this.pos;
    this.tokenStart = pos;
    while (pos < end && bytes[pos] !== stop && bytes[pos] !== SPACE) pos++;
    this.tokenEnd = pos;
    const found = pos > this.pos;
    this.pos = pos;
    return found;
  }

  byte(expected: number): boolean {
    return this.pos < this.end && this.bytes[this.pos++] === expected;
  }

  skipSpaces(): void {
    const { bytes, end } = this;
    let pos = this.pos;
    while (pos < end && bytes[pos] === SPACE) pos++;
    this.pos = pos;
  }

  /** At the end or before a space: what was read is not the head of something longer. */
  atBoundary(): boolean {
    return this.pos >= this.end || this.bytes[this.pos] === SPACE;
  }
}
