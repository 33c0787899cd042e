import type { ByteReader } from '../byte-buffer.ts';
import { addressIn } from './codec.ts';
import type { IntCodec } from './codec.ts';

const MAX_BITS = 24;

/**
 * Values from a minimum upward in as few bits as the range needs, up to 24. Layout: zigzag minimum, bits, packed rows; in variant 1
 * also, before the rows, how many low bits all differences to the minimum have in common as 0 and are left out.
 */
export const bitPacked: IntCodec = {
  id: 5,
  name: 'bit-packed',
  variants: 2,
  weight: 1,
  encode(values, variant, out) {
    const n = values.length;
    const { min, max, varying } = rangeOf(values);
    const shift = variant === 0 || varying === 0 ? 0 : 31 - Math.clz32(varying & -varying);
    const bits = Math.max(1, Math.ceil(Math.log2((max - min) / 2 ** shift + 1)));
    if (bits > MAX_BITS || (variant === 0 && bits % 8 === 0) || (variant === 1 && shift === 0)) return false;
    out.reserve(16 + Math.ceil((n * bits) / 8));
    out.varint(((min << 1) ^ (min >> 31)) >>> 0);
    const { bytes } = out;
    bytes[out.length++] = bits;
    if (variant === 1) bytes[out.length++] = shift;
    out.length = pack(values, min, shift, bits, bytes, out.length);
    return true;
  },
  decode(reader, variant, out) {
    const n = out.length;
    const { min, bits, shift, end } = readHead(reader, variant, n);
    const { bytes, at } = reader;
    const mask = (1 << bits) - 1;
    // rows that begin so far before the end can read whole words without looking; those of few bits read fewer bytes
    const whole = Math.max(0, Math.min(n, Math.floor(((end - at - 4) * 8) / bits)));
    if (bits <= 9) {
      for (let i = 0, bit = 0; i < whole; i++, bit += bits) {
        const from = at + (bit >>> 3);
        const word = bytes[from]! | (bytes[from + 1]! << 8);
        out[i] = (min + (((word >>> (bit & 7)) & mask) << shift)) | 0;
      }
    } else {
      for (let i = 0, bit = 0; i < whole; i++, bit += bits) {
        const from = at + (bit >>> 3);
        const word = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24);
        out[i] = (min + (((word >>> (bit & 7)) & mask) << shift)) | 0;
      }
    }
    for (let i = whole; i < n; i++) {
      let value = 0;
      for (let b = 0; b < bits; b++) {
        const bit = i * bits + b;
        value |= ((bytes[at + (bit >>> 3)]! >>> (bit & 7)) & 1) << b;
      }
      out[i] = (min + (value << shift)) | 0;
    }
    reader.at = end;
  },
  decodeAt({ calls }, reader, variant, rows, out) {
    const { min, bits, shift, end } = readHead(reader, variant, rows);
    calls.packed(addressIn(reader), rows, bits, min, shift, out);
    reader.at = end;
    return true;
  },
};

interface Range {
  readonly min: number;
  readonly max: number;
  /** Bits in which any value is unlike the first: the low ones that none has are 0 in all differences to the minimum too. */
  readonly varying: number;
}

function rangeOf(values: Int32Array): Range {
  const first = values[0] ?? 0;
  let min = first;
  let max = first;
  let varying = 0;
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    varying |= value ^ first;
    if (value < min) min = value;
    else if (value > max) max = value;
  }
  return { min, max, varying };
}

/** Returns where the packed rows end. */
function pack(values: Int32Array, min: number, shift: number, bits: number, bytes: Uint8Array, from: number): number {
  let at = from;
  let word = 0;
  let filled = 0;
  for (let i = 0; i < values.length; i++) {
    word |= (((values[i]! - min) | 0) >>> shift) << filled;
    filled += bits;
    while (filled >= 8) {
      bytes[at++] = word;
      word >>>= 8;
      filled -= 8;
    }
  }
  if (filled > 0) bytes[at++] = word;
  return at;
}

function readHead(
  reader: ByteReader,
  variant: number,
  rows: number,
): { readonly min: number; readonly bits: number; readonly shift: number; readonly end: number } {
  const zigzag = reader.varint();
  if (zigzag > 0xffffffff) throw new RangeError('minimum exceeds 32 bits');
  const min = (zigzag >>> 1) ^ -(zigzag & 1);
  const bits = reader.byte();
  const shift = variant === 0 ? 0 : reader.byte() & 31;
  const end = reader.at + Math.ceil((rows * bits) / 8);
  if (bits < 1 || bits > MAX_BITS || reader.bytes.length < end) throw new RangeError('column ends early');
  return { min, bits, shift, end };
}
