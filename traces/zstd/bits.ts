/** Raised inside the decoder for content that breaks the format; never leaves it. */
export class ZstdDamage extends Error {}

/** Position of the highest set bit (`msb(1)` is 0); -1 for 0. */
export function msb(value: number): number {
  return 31 - Math.clz32(value);
}

/**
 * Bytes that buffers given to the decoders of bit streams have before and behind the data: streams are read backwards by words,
 * and whether one was left is seen after at most 11 bytes of them.
 */
export const PADDING = 16;

/**
 * Where a bit stream in `[start, end)` begins, as a bit offset: streams of Huffman codes and of sequences are written to be read
 * backwards, from below the last set bit of the last byte (RFC 8878 4.1).
 */
export function streamStart(bytes: Uint8Array, start: number, end: number): number {
  const last = end > start ? bytes[end - 1]! : 0;
  if (last === 0) throw new ZstdDamage('bit stream without an end mark');
  return (end - 1) * 8 + msb(last);
}

/** The `count` bits from bit offset `at` up, 25 at most. */
export function bitsAt(view: DataView, at: number, count: number): number {
  return (view.getInt32(at >>> 3, true) >>> (at & 7)) & ((1 << count) - 1);
}
