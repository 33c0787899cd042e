import { ZstdDamage, msb } from './bits.ts';

/** Largest tables (RFC 8878 3.1.1.3.2.1.1): literal and match lengths. */
const MAX_ACCURACY = 9;
const MAX_SYMBOLS = 256;

/**
 * A finite-state-entropy decoding table (RFC 8878 4.1.1), two words per state: `cells[2 * state]` is the base of the next state
 * and, from bit 16 on, how many bits to add to it; `cells[2 * state + 1]` is what the state's symbol stands for. Made once and
 * filled again and again: blocks are small, and each may bring tables.
 */
export class FseTable {
  accuracy = 0;
  readonly cells: Int32Array;

  constructor(maxAccuracy: number) {
    this.cells = new Int32Array(2 << maxAccuracy);
  }

  /** Becomes a table whose only state stands for this: the RLE mode. */
  setConstant(value: number): void {
    this.accuracy = 0;
    this.cells[0] = 0;
    this.cells[1] = value;
  }

  /**
   * Fills the table from the probabilities of the first `count` symbols; -1 is "less than one". Their sum is the table's size.
   * @param values what each symbol stands for
   */
  build(accuracy: number, probabilities: ArrayLike<number>, count: number, values: Int32Array): void {
    const { cells } = this;
    this.accuracy = accuracy;
    const size = 1 << accuracy;
    let high = size;
    for (let s = 0; s < count; s++) {
      const probability = probabilities[s]!;
      if (probability === -1) {
        spread[--high] = s;
        next[s] = 1;
      } else next[s] = probability;
    }
    const step = (size >> 1) + (size >> 3) + 3;
    const mask = size - 1;
    let position = 0;
    for (let s = 0; s < count; s++) {
      for (let k = probabilities[s]!; k > 0; k--) {
        spread[position] = s;
        do position = (position + step) & mask;
        while (position >= high);
      }
    }
    for (let state = 0; state < size; state++) {
      const s = spread[state]!;
      const value = next[s]!;
      next[s] = value + 1;
      const bits = accuracy - msb(value);
      cells[2 * state] = (bits << 16) | ((value << bits) - size);
      cells[2 * state + 1] = values[s]!;
    }
  }
}

/** Used within one call each. */
const spread = new Uint8Array(1 << MAX_ACCURACY);
const next = new Uint16Array(MAX_SYMBOLS);
/** Longer than any alphabet, by the zeros that one repeat adds. */
const read = new Int16Array(MAX_SYMBOLS + 4);

/**
 * Reads a table's description (RFC 8878 4.1.1) from `[start, end)`; returns where it ends.
 * @param maxAccuracy largest table the place allows, as a power of two
 * @param values what each symbol that the place allows stands for
 */
export function readTable(
  into: FseTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  maxAccuracy: number,
  values: Int32Array,
): number {
  const symbols = values.length;
  // Bits are read forward, lowest first; what lies behind the end is refused afterwards.
  let at = start * 8;
  const limit = end * 8;
  if (start >= end) throw new ZstdDamage('entropy table is missing');
  const accuracy = (bytes[start]! & 15) + 5;
  at += 4;
  if (accuracy > maxAccuracy) throw new ZstdDamage('entropy table is too large');
  let count = 0;
  let left = 1 << accuracy;
  while (left > 0) {
    if (count >= symbols || at >= limit) throw new ZstdDamage('entropy table is damaged');
    const byte = at >>> 3;
    const word = (bytes[byte]! | (bytes[byte + 1]! << 8) | (bytes[byte + 2]! << 16)) >>> (at & 7);
    // Values up to `left + 1` take the fewest bits that hold them; small ones one bit less.
    const width = msb(left + 1) + 1;
    const small = (1 << width) - 1 - (left + 1);
    const half = 1 << (width - 1);
    let value = word & (half - 1);
    if (value < small) at += width - 1;
    else {
      value = word & (2 * half - 1);
      if (value >= half) value -= small;
      at += width;
    }
    const probability = value - 1;
    read[count++] = probability;
    left -= probability === -1 ? 1 : probability;
    if (probability !== 0) continue;
    for (;;) {
      const repeats = ((bytes[at >>> 3]! | (bytes[(at >>> 3) + 1]! << 8)) >>> (at & 7)) & 3;
      at += 2;
      for (let i = 0; i < repeats; i++) read[count++] = 0;
      if (count > symbols || at > limit) throw new ZstdDamage('entropy table is damaged');
      if (repeats < 3) break;
    }
  }
  if (left < 0 || at > limit) throw new ZstdDamage('entropy table is damaged');
  into.build(accuracy, read, count, values);
  return (at + 7) >>> 3;
}
