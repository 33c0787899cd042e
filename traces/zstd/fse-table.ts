import { ZstdDamage, msb } from './bits.ts';

/**
 * A finite-state-entropy decoding table (RFC 8878 4.1.1): for each state the symbol, and how many bits to add to which base
 * for the next state.
 */
export interface FseTable {
  readonly accuracy: number;
  readonly symbol: Uint8Array;
  readonly bits: Uint8Array;
  readonly base: Uint16Array;
}

/** A table whose only state is this symbol: the RLE mode. */
export function constantTable(symbol: number): FseTable {
  return { accuracy: 0, symbol: Uint8Array.of(symbol), bits: new Uint8Array(1), base: new Uint16Array(1) };
}

/** Builds a table from probabilities; -1 is "less than one". Their sum is the table's size. */
export function buildTable(accuracy: number, probabilities: ArrayLike<number>): FseTable {
  const size = 1 << accuracy;
  const symbol = new Uint8Array(size);
  const bits = new Uint8Array(size);
  const base = new Uint16Array(size);
  const next = new Uint16Array(probabilities.length);
  let high = size;
  for (let s = 0; s < probabilities.length; s++) {
    const probability = probabilities[s]!;
    if (probability === -1) {
      symbol[--high] = s;
      next[s] = 1;
    } else next[s] = probability;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  const mask = size - 1;
  let position = 0;
  for (let s = 0; s < probabilities.length; s++) {
    for (let k = probabilities[s]!; k > 0; k--) {
      symbol[position] = s;
      do position = (position + step) & mask;
      while (position >= high);
    }
  }
  for (let state = 0; state < size; state++) {
    const s = symbol[state]!;
    const value = next[s]!;
    next[s] = value + 1;
    const count = accuracy - msb(value);
    bits[state] = count;
    base[state] = (value << count) - size;
  }
  return { accuracy, symbol, bits, base };
}

/** Result of `readTable`. */
export interface ReadTable {
  readonly table: FseTable;
  readonly end: number;
}

/**
 * Reads a table's description (RFC 8878 4.1.1) from `[start, end)`.
 * @param maxAccuracy largest table the place allows, as a power of two
 * @param maxSymbol largest symbol the place allows
 */
export function readTable(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxAccuracy: number,
  maxSymbol: number,
): ReadTable {
  // Bits are read forward, lowest first; what lies behind the end reads as 0 and is refused afterwards.
  let at = start * 8;
  const limit = end * 8;
  const read = (count: number): number => {
    const byte = at >>> 3;
    const word = byteAt(bytes, byte, end) | (byteAt(bytes, byte + 1, end) << 8) | (byteAt(bytes, byte + 2, end) << 16);
    return (word >>> (at & 7)) & ((1 << count) - 1);
  };
  const accuracy = read(4) + 5;
  at += 4;
  if (accuracy > maxAccuracy) throw new ZstdDamage('entropy table is too large');
  const probabilities: number[] = [];
  let left = 1 << accuracy;
  while (left > 0) {
    if (probabilities.length > maxSymbol || at >= limit) throw new ZstdDamage('entropy table is damaged');
    // Values up to `left + 1` take the fewest bits that hold them; small ones one bit less.
    const width = msb(left + 1) + 1;
    const small = (1 << width) - 1 - (left + 1);
    let value = read(width);
    const short = value & ((1 << (width - 1)) - 1);
    if (short < small) {
      value = short;
      at += width - 1;
    } else {
      if (value >= 1 << (width - 1)) value -= small;
      at += width;
    }
    const probability = value - 1;
    probabilities.push(probability);
    left -= probability === -1 ? 1 : probability;
    if (probability !== 0) continue;
    for (;;) {
      const repeats = read(2);
      at += 2;
      for (let i = 0; i < repeats; i++) probabilities.push(0);
      if (repeats < 3) break;
      if (probabilities.length > maxSymbol + 1 || at > limit) throw new ZstdDamage('entropy table is damaged');
    }
  }
  if (left < 0 || probabilities.length > maxSymbol + 1 || at > limit) throw new ZstdDamage('entropy table is damaged');
  return { table: buildTable(accuracy, probabilities), end: (at + 7) >>> 3 };
}

function byteAt(bytes: Uint8Array, at: number, end: number): number {
  return at < end ? bytes[at]! : 0;
}
