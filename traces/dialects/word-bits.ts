/** Bit fields of 64-bit words, for encoding and decoding where no loop is hot. */

/** Bits `high` to `low` of a word. */
export function bits(word: bigint, high: number, low: number): number {
  return Number((word >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
}

export function bit(word: bigint, at: number): boolean {
  return ((word >> BigInt(at)) & 1n) === 1n;
}

/** A number in its place. Throws `RangeError` where it does not fit. */
export function field(name: string, value: number, high: number, low: number): bigint {
  const limit = 2 ** (high - low + 1);
  if (!Number.isInteger(value) || value < 0 || value >= limit) {
    throw new RangeError(`${name} is ${value}, its ${high - low + 1} bits hold 0 to ${limit - 1}`);
  }
  return BigInt(value) << BigInt(low);
}

export function flag(value: boolean, at: number): bigint {
  return value ? 1n << BigInt(at) : 0n;
}

/** Ones in bits `high` to `low`. */
export function ones(high: number, low: number): bigint {
  return ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}
