import type { ByteReader } from '../byte-buffer.ts';
import type { IntCodec } from './codec.ts';

/** Compares this many values without a jump. */
const STEP = 8;

function allAre(values: Int32Array, value: number): boolean {
  const n = values.length;
  const whole = n - (n % STEP);
  let i = 0;
  for (; i < whole; i += STEP) {
    const some =
      (values[i]! ^ value) |
      (values[i + 1]! ^ value) |
      (values[i + 2]! ^ value) |
      (values[i + 3]! ^ value) |
      (values[i + 4]! ^ value) |
      (values[i + 5]! ^ value) |
      (values[i + 6]! ^ value) |
      (values[i + 7]! ^ value);
    if (some !== 0) return false;
  }
  for (; i < n; i++) if (values[i] !== value) return false;
  return true;
}

/** All values alike. */
export const constant: IntCodec = {
  id: 0,
  name: 'constant',
  variants: 1,
  weight: 1,
  encode(values, _variant, out) {
    const first = values[0] ?? 0;
    if (!allAre(values, first)) return false;
    out.reserve(8);
    out.varint(((first << 1) ^ (first >> 31)) >>> 0);
    return true;
  },
  decode(reader, _variant, out) {
    out.fill(readValue(reader));
  },
  decodeAt({ calls }, reader, _variant, rows, out) {
    calls.fill(out, rows, readValue(reader));
    return true;
  },
};

function readValue(reader: ByteReader): number {
  const zigzag = reader.varint();
  if (zigzag > 0xffffffff) throw new RangeError('constant exceeds 32 bits');
  return (zigzag >>> 1) ^ -(zigzag & 1);
}
