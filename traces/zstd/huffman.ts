import { ZstdDamage, bitsAt, msb, streamStart } from './bits.ts';
import { FseTable, readTable } from './fse-table.ts';

/** Longest code of a literal (RFC 8878 4.2.1). */
const MAX_BITS = 11;
/** Largest table of weights, and weights that can be sent: the last one is not (RFC 8878 4.2.1.1). */
const MAX_WEIGHT_ACCURACY = 6;
const MAX_SENT = 255;

const WEIGHTS = Int32Array.from({ length: MAX_SENT + 1 }, (_, weight) => weight);
/** Used within one call each. */
const weightTable = new FseTable(MAX_WEIGHT_ACCURACY);
const weights = new Uint8Array(MAX_SENT + 1);
const places = new Int32Array(MAX_BITS + 2);

/** Decoding table of literals, filled again and again: entry `symbol << 4 | length` for every `bits` next bits. */
export class HuffmanTable {
  bits = 0;
  readonly entries = new Uint16Array(1 << MAX_BITS);

  /** Reads a tree description (RFC 8878 4.2.1) from `[start, end)`; returns where it ends. */
  read(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    if (start >= end) throw new ZstdDamage('Huffman tree is missing');
    const header = bytes[start]!;
    const coded = header < 128;
    const after = start + 1 + (coded ? header : (header - 126) >> 1);
    if (after > end) throw new ZstdDamage('Huffman tree is cut');
    let count: number;
    if (coded) count = readCompressedWeights(bytes, view, start + 1, after);
    else {
      count = header - 127;
      for (let i = 0; i < count; i++) {
        const pair = bytes[start + 1 + (i >> 1)]!;
        weights[i] = (i & 1) === 0 ? pair >> 4 : pair & 15;
      }
    }
    this.#build(count);
    return after;
  }

  /** The last weight is not sent: it fills the sum up to a power of two. */
  #build(count: number): void {
    places.fill(0);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const weight = weights[i]!;
      if (weight > MAX_BITS) throw new ZstdDamage('Huffman code is too long');
      if (weight === 0) continue;
      const span = 1 << (weight - 1);
      sum += span;
      places[weight + 1]! += span;
    }
    if (sum === 0) throw new ZstdDamage('Huffman tree is empty');
    const bits = msb(sum) + 1;
    const left = (1 << bits) - sum;
    if (bits > MAX_BITS || (left & (left - 1)) !== 0) throw new ZstdDamage('Huffman tree is not whole');
    const last = msb(left) + 1;
    weights[count] = last;
    places[last + 1]! += left;
    // Codes are given by rising weight, and within a weight by symbol.
    for (let weight = 2; weight <= bits; weight++) places[weight]! += places[weight - 1]!;
    const { entries } = this;
    this.bits = bits;
    for (let symbol = 0; symbol <= count; symbol++) {
      const weight = weights[symbol]!;
      if (weight === 0) continue;
      const from = places[weight]!;
      const to = from + (1 << (weight - 1));
      places[weight] = to;
      const entry = (symbol << 4) | (bits + 1 - weight);
      for (let i = from; i < to; i++) entries[i] = entry;
    }
  }
}

/** Weights as two interleaved states of one entropy table (RFC 8878 4.2.1.2); returns how many. */
function readCompressedWeights(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  const bitsStart = readTable(weightTable, bytes, start, end, MAX_WEIGHT_ACCURACY, WEIGHTS);
  const { accuracy, cells } = weightTable;
  const floor = bitsStart * 8;
  let at = streamStart(bytes, bitsStart, end) - 2 * accuracy;
  if (at < floor) throw new ZstdDamage('Huffman weights are cut');
  let state = bitsAt(view, at + accuracy, accuracy);
  let other = bitsAt(view, at, accuracy);
  let count = 0;
  // A table of one symbol reads no bits and would never end.
  for (;;) {
    if (count >= MAX_SENT) throw new ZstdDamage('Huffman tree has too many weights');
    weights[count++] = cells[2 * state + 1]!;
    const cell = cells[2 * state]!;
    const bits = cell >>> 16;
    if (at - bits < floor) break;
    at -= bits;
    state = other;
    other = (cell & 0xffff) + bitsAt(view, at, bits);
  }
  if (count >= MAX_SENT) throw new ZstdDamage('Huffman tree has too many weights');
  weights[count++] = cells[2 * other + 1]!;
  return count;
}

/** Decodes one stream in `[start, end)` into `out[from, to)`. Needs `PADDING` readable bytes before `start`. */
export function decodeStream(
  table: HuffmanTable,
  block: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: Uint8Array,
  from: number,
  to: number,
): void {
  decodeRest(table, view, streamStart(block, start, end), start * 8, out, from, to);
}

/** From bit offset `at` down to `floor`, which has to be met exactly. */
function decodeRest(
  { bits, entries }: HuffmanTable,
  view: DataView,
  from: number,
  floor: number,
  out: Uint8Array,
  first: number,
  to: number,
): void {
  const mask = (1 << bits) - 1;
  let at = from;
  for (let o = first; o < to; o++) {
    // Bits below the floor are other data's: a code that uses them leaves `at` below it.
    const low = at - bits;
    const entry = entries[(view.getInt32(low >> 3, true) >>> (low & 7)) & mask]!;
    at -= entry & 15;
    out[o] = entry >>> 4;
    if (at < floor) throw new ZstdDamage('literal stream is too short');
  }
  if (at !== floor) throw new ZstdDamage('literal stream has the wrong length');
}

/** Bit offsets of four streams, `ends` of which are where the next one starts. */
const starts = new Int32Array(5);

/**
 * Decodes four streams side by side, so that the processor need not wait for one: `sizes` at `start` (RFC 8878 3.1.1.3.1.6);
 * each but the last gives a quarter of the `count` literals, rounded up.
 */
export function decodeFourStreams(
  table: HuffmanTable,
  block: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: Uint8Array,
  count: number,
): void {
  if (start + 6 > end) throw new ZstdDamage('literals are cut');
  const quarter = (count + 3) >> 2;
  if (quarter * 3 > count) throw new ZstdDamage('literals are cut');
  starts[0] = start + 6;
  for (let i = 0; i < 3; i++) starts[i + 1] = starts[i]! + view.getUint16(start + 2 * i, true);
  starts[4] = end;
  if (starts[3]! > end) throw new ZstdDamage('literals are cut');
  const { bits, entries } = table;
  const mask = (1 << bits) - 1;
  const [floor0, floor1, floor2, floor3] = [starts[0] * 8, starts[1]! * 8, starts[2]! * 8, starts[3]! * 8];
  let at0 = streamStart(block, starts[0], starts[1]!);
  let at1 = streamStart(block, starts[1]!, starts[2]!);
  let at2 = streamStart(block, starts[2]!, starts[3]!);
  let at3 = streamStart(block, starts[3]!, end);
  // The last stream is the shortest. One load holds the 22 bits of two codes at any bit offset.
  const pairs = (count - 3 * quarter) >> 1;
  let o = 0;
  for (const stop = pairs * 2; o < stop; o += 2) {
    let low = at0 - 2 * bits;
    let word = view.getInt32(low >> 3, true) >>> (low & 7);
    let one = entries[(word >>> bits) & mask]!;
    let used = one & 15;
    let two = entries[(word >>> (bits - used)) & mask]!;
    at0 -= used + (two & 15);
    out[o] = one >>> 4;
    out[o + 1] = two >>> 4;

    low = at1 - 2 * bits;
    word = view.getInt32(low >> 3, true) >>> (low & 7);
    one = entries[(word >>> bits) & mask]!;
    used = one & 15;
    two = entries[(word >>> (bits - used)) & mask]!;
    at1 -= used + (two & 15);
    out[quarter + o] = one >>> 4;
    out[quarter + o + 1] = two >>> 4;

    low = at2 - 2 * bits;
    word = view.getInt32(low >> 3, true) >>> (low & 7);
    one = entries[(word >>> bits) & mask]!;
    used = one & 15;
    two = entries[(word >>> (bits - used)) & mask]!;
    at2 -= used + (two & 15);
    out[2 * quarter + o] = one >>> 4;
    out[2 * quarter + o + 1] = two >>> 4;

    low = at3 - 2 * bits;
    word = view.getInt32(low >> 3, true) >>> (low & 7);
    one = entries[(word >>> bits) & mask]!;
    used = one & 15;
    two = entries[(word >>> (bits - used)) & mask]!;
    at3 -= used + (two & 15);
    out[3 * quarter + o] = one >>> 4;
    out[3 * quarter + o + 1] = two >>> 4;

    if (((at0 - floor0) | (at1 - floor1) | (at2 - floor2) | (at3 - floor3)) < 0) {
      throw new ZstdDamage('literal stream is too short');
    }
  }
  decodeRest(table, view, at0, floor0, out, o, quarter);
  decodeRest(table, view, at1, floor1, out, quarter + o, 2 * quarter);
  decodeRest(table, view, at2, floor2, out, 2 * quarter + o, 3 * quarter);
  decodeRest(table, view, at3, floor3, out, 3 * quarter + o, count);
}
