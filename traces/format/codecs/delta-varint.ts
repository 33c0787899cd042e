import { addressIn, commonShift } from './codec.ts';
import type { IntCodec } from './codec.ts';

/**
 * Difference to the value `variant` rows before (0: the value itself), zigzag, LEB128. A lag of 2 to 4 suits columns whose rows
 * alternate between kinds: a command and its wait. Layout: shift, then one varint a row.
 */
export const deltaVarint: IntCodec = {
  id: 1,
  name: 'delta-varint',
  variants: 5,
  weight: 1.03,
  encode(values, lag, out) {
    const shift = commonShift(values);
    const n = values.length;
    out.reserve(1 + n * 5);
    const { bytes } = out;
    let at = out.length;
    bytes[at++] = shift;
    for (let i = 0; i < n; i++) {
      const before = lag === 0 || i < lag ? 0 : values[i - lag]! >> shift;
      const delta = ((values[i]! >> shift) - before) | 0;
      let zigzag = ((delta << 1) ^ (delta >> 31)) >>> 0;
      while (zigzag >= 0x80) {
        bytes[at++] = (zigzag & 0x7f) | 0x80;
        zigzag >>>= 7;
      }
      bytes[at++] = zigzag;
    }
    out.length = at;
    return true;
  },
  decode(reader, lag, out) {
    const shift = reader.byte() & 31;
    const bytes = reader.bytes;
    const n = out.length;
    const end = bytes.length;
    let at = reader.at;
    for (let i = 0; i < n; i++) {
      if (at >= end) throw new RangeError('column ends early');
      let zigzag = bytes[at++]!;
      if (zigzag >= 0x80) {
        zigzag &= 0x7f;
        for (let bits = 7; ; bits += 7) {
          if (at >= end || bits > 28) throw new RangeError('column ends early');
          const byte = bytes[at++]!;
          zigzag |= (byte & 0x7f) << bits;
          if (byte < 0x80) break;
        }
      }
      const delta = (zigzag >>> 1) ^ -(zigzag & 1);
      out[i] = lag === 0 || i < lag ? delta : (out[i - lag]! + delta) | 0;
    }
    reader.at = at;
    if (shift > 0) for (let i = 0; i < n; i++) out[i] = out[i]! << shift;
  },
  decodeAt({ calls }, reader, lag, rows, out) {
    const shift = reader.byte() & 31;
    const { byteOffset, length } = reader.bytes;
    const end = calls.varints(addressIn(reader), byteOffset + length, rows, shift, out);
    if (end === 0) return false;
    if (lag > 0) calls.sum(out, rows, lag);
    reader.at = end - byteOffset;
    return true;
  },
};
