import { addressIn } from './codec.ts';
import type { IntCodec } from './codec.ts';
import { numbersRoom } from './differences.ts';

/** A call of `fill` costs as much as so many stores. */
const LONG = 64;

/** Run-length: number of runs, then per run a zigzag varint value; then per run its length. */
export const runs: IntCodec = {
  id: 4,
  name: 'runs',
  variants: 1,
  weight: 1,
  encode(values, _variant, out) {
    const n = values.length;
    const starts = numbersRoom((n >>> 2) + 1);
    const count = findRuns(values, starts);
    if (count * 4 > n) return false;
    starts[count] = n;
    out.reserve(8 + count * 8);
    out.varint(count);
    for (let run = 0; run < count; run++) {
      const value = values[starts[run]!]!;
      out.varint(((value << 1) ^ (value >> 31)) >>> 0);
    }
    for (let run = 0; run < count; run++) out.varint(starts[run + 1]! - starts[run]!);
    return true;
  },
  decode(reader, _variant, out) {
    const count = reader.varint();
    if (count > out.length) throw new RangeError(`${count} runs in ${out.length} rows`);
    const values = new Int32Array(count);
    const { bytes } = reader;
    for (let i = 0; i < count; i++) {
      const byte = bytes[reader.at]!;
      let zigzag = byte;
      // most are short
      if (byte < 0x80) reader.at++;
      else zigzag = reader.varint();
      if (zigzag > 0xffffffff || byte === undefined) throw new RangeError('value exceeds 32 bits, or is not there');
      values[i] = (zigzag >>> 1) ^ -(zigzag & 1);
    }
    let at = 0;
    for (let i = 0; i < count; i++) {
      const byte = bytes[reader.at]!;
      let length = byte;
      if (byte < 0x80) reader.at++;
      else length = reader.varint();
      const end = at + length;
      if (!(end <= out.length)) throw new RangeError('runs exceed the column');
      const value = values[i]!;
      if (length > LONG) out.fill(value, at, end);
      else for (let k = at; k < end; k++) out[k] = value;
      at = end;
    }
    if (at !== out.length) throw new RangeError('runs end early');
  },
  decodeAt({ calls, at }, reader, _variant, rows, out) {
    const count = reader.varint();
    if (count > rows) throw new RangeError(`${count} runs in ${rows} rows`);
    const { byteOffset, length } = reader.bytes;
    const end = calls.runs(addressIn(reader), byteOffset + length, count, rows, at.second, out);
    if (end === 0) return false;
    reader.at = end - byteOffset;
    return true;
  },
};

/** Where each run of equal values begins; returns how many there are, or one more than there is room for less the end. */
function findRuns(values: Int32Array, starts: Int32Array): number {
  const most = starts.length - 1;
  let count = 0;
  let value = 0;
  for (let i = 0; i < values.length; i++) {
    if (i > 0 && values[i] === value) continue;
    value = values[i]!;
    if (count === most) return most + 1;
    starts[count++] = i;
  }
  return count;
}
