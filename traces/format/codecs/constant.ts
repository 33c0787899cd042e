import type { IntCodec } from './codec.ts';

/** All values alike. */
export const constant: IntCodec = {
  id: 0,
  name: 'constant',
  variants: 1,
  weight: 1,
  encode(values, _variant, out) {
    const first = values[0] ?? 0;
    for (let i = 1; i < values.length; i++) if (values[i] !== first) return false;
    out.reserve(8);
    out.varint(((first << 1) ^ (first >> 31)) >>> 0);
    return true;
  },
  decode(reader, _variant, out) {
    const zigzag = reader.varint();
    if (zigzag > 0xffffffff) throw new RangeError('constant exceeds 32 bits');
    out.fill((zigzag >>> 1) ^ -(zigzag & 1));
  },
};
