import type { IntCodec } from './codec.ts';

/** Values from a minimum upward in as few bits as the range needs, up to 24. Layout: zigzag minimum, bits, packed rows. */
export const bitPacked: IntCodec = {
  id: 5,
  name: 'bit-packed',
  variants: 1,
  weight: 3,
  encode(values, _variant, out) {
    const n = values.length;
    let min = values[0] ?? 0;
    let max = min;
    for (let i = 1; i < n; i++) {
      const value = values[i]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    const bits = Math.max(1, Math.ceil(Math.log2(max - min + 1)));
    if (bits > 24 || bits % 8 === 0) return false;
    out.reserve(16 + Math.ceil((n * bits) / 8));
    out.varint(((min << 1) ^ (min >> 31)) >>> 0);
    const { bytes } = out;
    let at = out.length;
    bytes[at++] = bits;
    let word = 0;
    let filled = 0;
    for (let i = 0; i < n; i++) {
      word |= (values[i]! - min) << filled;
      filled += bits;
      while (filled >= 8) {
        bytes[at++] = word;
        word >>>= 8;
        filled -= 8;
      }
    }
    if (filled > 0) bytes[at++] = word;
    out.length = at;
    return true;
  },
  decode(reader, _variant, out) {
    const zigzag = reader.varint();
    if (zigzag > 0xffffffff) throw new RangeError('minimum exceeds 32 bits');
    const min = (zigzag >>> 1) ^ -(zigzag & 1);
    const bits = reader.byte();
    const n = out.length;
    const { bytes } = reader;
    let at = reader.at;
    if (bits < 1 || bits > 24 || bytes.length - at < Math.ceil((n * bits) / 8))
      throw new RangeError('column ends early');
    const mask = (1 << bits) - 1;
    let word = 0;
    let filled = 0;
    for (let i = 0; i < n; i++) {
      while (filled < bits) {
        word |= bytes[at++]! << filled;
        filled += 8;
      }
      out[i] = (min + (word & mask)) | 0;
      word >>>= bits;
      filled -= bits;
    }
    reader.at = at;
  },
};
