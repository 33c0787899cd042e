import type { ByteReader } from '../byte-buffer.ts';
import { addressIn } from './codec.ts';
import type { IntCodec } from './codec.ts';
import { numbersRoom } from './differences.ts';

const MAX_VALUES = 65536;

/** A table where a value is not found within so many slots is not worth its time, whatever was put into it on purpose. */
const MOST_PROBES = 64;

interface Distinct {
  /** By row: which of `numbers` it is. */
  readonly ids: Int32Array;
  /** In order of first appearance, with how often each occurs. */
  readonly numbers: Int32Array;
  readonly counts: Int32Array;
}

/** Undefined where a quarter of the rows (and some) are distinct: then a dictionary is no help. */
function distinctValues(values: Int32Array): Distinct | undefined {
  const n = values.length;
  if (n === 0) return undefined;
  const most = Math.floor((n + 1024) / 4);
  const slots = 2 ** (33 - Math.clz32(Math.min(n, most)));
  const mask = slots - 1;
  // ids plus one, by hash; 0 is free
  const table = new Int32Array(slots);
  const numbers = new Int32Array(Math.min(n, most));
  const counts = new Int32Array(numbers.length);
  const ids = numbersRoom(n);
  let distinct = 0;
  for (let i = 0; i < n; i++) {
    const value = values[i]!;
    let hash = Math.imul(value ^ (value >>> 12), 0x9e3779b1);
    hash ^= hash >>> 15;
    let at = hash & mask;
    let id = table[at]! - 1;
    for (let probes = 0; id >= 0 && numbers[id] !== value; probes++) {
      if (probes === MOST_PROBES) return undefined;
      at = (at + 1) & mask;
      id = table[at]! - 1;
    }
    if (id < 0) {
      if (distinct === numbers.length || (distinct + 1) * 4 > n + 1024) return undefined;
      id = distinct++;
      numbers[id] = value;
      table[at] = id + 1;
    }
    counts[id]!++;
    ids[i] = id;
  }
  return { ids, numbers: numbers.subarray(0, distinct), counts };
}

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
    const found = distinctValues(values);
    if (found === undefined) return false;
    const { ids, numbers, counts } = found;
    const ranked = Array.from(numbers, (_, id) => id).sort(
      (a, b) => counts[b]! - counts[a]! || numbers[a]! - numbers[b]!,
    );
    const rank = new Int32Array(ranked.length);
    ranked.forEach((id, index) => {
      rank[id] = index;
    });
    const n = values.length;
    const wide = ranked.length > 256;
    out.reserve(8 + ranked.length * 5 + n * (wide ? 2 : 1));
    out.varint(ranked.length);
    for (const id of ranked) {
      const value = numbers[id]!;
      out.varint(((value << 1) ^ (value >> 31)) >>> 0);
    }
    writeIndexes(ids, rank, 0, out.bytes, out.length);
    if (wide) writeIndexes(ids, rank, 8, out.bytes, out.length + n);
    out.length += wide ? 2 * n : n;
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

function writeIndexes(ids: Int32Array, rank: Int32Array, shift: number, bytes: Uint8Array, from: number): void {
  for (let i = 0; i < ids.length; i++) bytes[from + i] = rank[ids[i]!]! >>> shift;
}

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
