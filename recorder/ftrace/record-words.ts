/** Numbers of records are read from 32-bit words: a record begins at a multiple of 4, and its fields where a compiler puts them. */

/** Whether this machine's words begin with their lowest byte. */
export const LITTLE_HOST = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** A number of up to 32 bits inside a word: `((word << left) >> right) & mask`. */
export interface WordPart {
  /** Which word of the record. */
  readonly word: number;
  readonly left: number;
  readonly right: number;
  readonly mask: number;
}

/** Where a field of 1, 2 or 4 bytes lies; undefined for other sizes, and for fields that no compiler puts there. */
export function wordPart(offset: number, size: number, signed: boolean, littleEndian: boolean): WordPart | undefined {
  if ((size !== 1 && size !== 2 && size !== 4) || offset % size !== 0) return undefined;
  const bits = 8 * size;
  const below = littleEndian ? 8 * (offset & 3) : 32 - bits - 8 * (offset & 3);
  const mask = signed || size === 4 ? -1 : (1 << bits) - 1;
  return { word: offset >> 2, left: 32 - bits - below, right: 32 - bits, mask };
}

/** A word of a record, whose machine has the other byte order than this one if `swapped`. */
export function readWord(words: Int32Array, at: number, swapped: boolean): number {
  const word = words[at]!;
  if (!swapped) return word;
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** `common_type` of the record at `at`, where Linux has it: before its format is known. */
export function recordId(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
}
