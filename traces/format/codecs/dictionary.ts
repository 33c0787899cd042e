import type { ByteReader } from '../byte-buffer.ts';
import { addressIn } from './codec.ts';
import type { IntCodec } from './codec.ts';

const MAX_VALUES = 65536;

/**
 * Distinct values, most frequent first, and an index per row, of one byte or two planes. Layout: number of values, the values as
 * zigzag varints, indexes.
 */
export const dictionary: IntCodec = {
  id: 3,
  name: 'dictionary',
  variants: 1,
  weight: 1,
  encode(values, _variant, out) {
    if (values.length === 0) return false;
    const counts = new Map<number, number>();
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      counts.set(value, (counts.get(value) ?? 0) + 1);
      if (counts.size * 4 > values.length + 1024) return false;
    }
    const ranked = [...counts.keys()].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || a - b);
    const rank = new Map(ranked.map((value, index) => [value, index]));
    const n = values.length;
    const wide = ranked.length > 256;
    out.reserve(8 + ranked.length * 5 + n * (wide ? 2 : 1));
    out.varint(ranked.length);
    for (const value of ranked) out.varint(((value << 1) ^ (value >> 31)) >>> 0);
    const { bytes } = out;
    let at = out.length;
    for (let i = 0; i < n; i++) {
      const index = rank.get(values[i]!) ?? 0;
      bytes[at] = index;
      if (wide) bytes[at + n] = index >>> 8;
      at++;
    }
    out.length = at + (wide ? n : 0);
    return true;
  },
  decode(reader, _variant, out) {
    const n = out.length;
    const { table, wide } = readTable(reader, n);
    const count = table.length;
    const { bytes, at } = reader;
    for (let i = 0; i < n; i++) {
      const index = wide ? bytes[at + i]! | (bytes[at + n + i]! << 8) : bytes[at + i]!;
      if (index >= count) throw new RangeError(`index ${index} in a dictionary of ${count}`);
      out[i] = table[index]!;
    }
    reader.at = at + (wide ? 2 * n : n);
  },
  decodeAt(machine, reader, _variant, rows, out) {
    const { table, wide } = readTable(reader, rows);
    const tableAt = machine.addressOf(table, 'table');
    const found = machine.calls.dictionary(addressIn(reader), rows, wide ? 1 : 0, tableAt, table.length, out);
    reader.at += wide ? 2 * rows : rows;
    return found !== 0;
  },
};

/** The values, and whether an index takes two bytes. */
function readTable(reader: ByteReader, rows: number): { readonly table: Int32Array; readonly wide: boolean } {
  const count = reader.varint();
  if (count < 1 || count > MAX_VALUES) throw new RangeError(`dictionary of ${count} values`);
  if (count > reader.bytes.length - reader.at) throw new RangeError('column ends early');
  const table = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const zigzag = reader.varint();
    if (zigzag > 0xffffffff) throw new RangeError('value exceeds 32 bits');
    table[i] = (zigzag >>> 1) ^ -(zigzag & 1);
  }
  const wide = count > 256;
  if (reader.bytes.length - reader.at < (wide ? 2 * rows : rows)) throw new RangeError('column ends early');
  return { table, wide };
}
