import { addressIn, commonShift } from './codec.ts';
import type { IntCodec } from './codec.ts';
import { numbersRoom, zigzagDifferences } from './differences.ts';

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
    const differences = numbersRoom(n);
    zigzagDifferences(values, lag, shift, differences);
    out.reserve(1 + n * 5);
    out.bytes[out.length++] = shift;
    out.length = writeVarints(differences, out.bytes, out.length);
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
  decodeAt({ calls, at }, reader, lag, rows, out) {
    const shift = reader.byte() & 31;
    const { byteOffset, length } = reader.bytes;
    const end = calls.varints(addressIn(reader), byteOffset + length, rows, shift, out, at.numbers);
    if (end === 0) return false;
    if (lag > 0) calls.sum(out, rows, lag);
    reader.at = end - byteOffset;
    return true;
  },
};

/** Unsigned numbers in LEB128; returns where they end. */
function writeVarints(numbers: Int32Array, bytes: Uint8Array, from: number): number {
  let at = from;
  for (let i = 0; i < numbers.length; i++) {
    let rest = numbers[i]!;
    while (rest >>> 7 !== 0) {
      bytes[at++] = rest | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
  }
  return at;
}
