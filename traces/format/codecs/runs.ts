import type { IntCodec } from './codec.ts';

/** Run-length: number of runs, then per run a zigzag varint value; then per run its length. */
export const runs: IntCodec = {
  id: 4,
  name: 'runs',
  variants: 1,
  weight: 1,
  encode(values, _variant, out) {
    const n = values.length;
    let count = n === 0 ? 0 : 1;
    for (let i = 1; i < n; i++) if (values[i] !== values[i - 1]) count++;
    if (count * 4 > n) return false;
    out.reserve(8 + count * 8);
    out.varint(count);
    for (let i = 0; i < n; i++) {
      if (i > 0 && values[i] === values[i - 1]) continue;
      const value = values[i]!;
      out.varint(((value << 1) ^ (value >> 31)) >>> 0);
    }
    let start = 0;
    for (let i = 1; i <= n; i++) {
      if (i < n && values[i] === values[i - 1]) continue;
      out.varint(i - start);
      start = i;
    }
    return true;
  },
  decode(reader, _variant, out) {
    const count = reader.varint();
    if (count > out.length) throw new RangeError(`${count} runs in ${out.length} rows`);
    const values = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const zigzag = reader.varint();
      if (zigzag > 0xffffffff) throw new RangeError('value exceeds 32 bits');
      values[i] = (zigzag >>> 1) ^ -(zigzag & 1);
    }
    let at = 0;
    for (let i = 0; i < count; i++) {
      const length = reader.varint();
      if (length > out.length - at) throw new RangeError('runs exceed the column');
      out.fill(values[i]!, at, at + length);
      at += length;
    }
    if (at !== out.length) throw new RangeError('runs end early');
  },
};
