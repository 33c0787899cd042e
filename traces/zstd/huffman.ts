import { BackwardBits, ZstdDamage, msb } from './bits.ts';
import { readTable } from './fse-table.ts';

/** Longest code of a literal (RFC 8878 4.2.1). */
const MAX_BITS = 11;

/** Decoding table of literals: entry `symbol << 4 | length` for every `bits` next bits. */
export interface HuffmanTable {
  readonly bits: number;
  readonly entries: Uint16Array;
}

export interface ReadHuffman {
  readonly table: HuffmanTable;
  readonly end: number;
}

/** Reads a tree description (RFC 8878 4.2.1) from `[start, end)`. */
export function readHuffman(bytes: Uint8Array, view: DataView, start: number, end: number): ReadHuffman {
  if (start >= end) throw new ZstdDamage('Huffman tree is missing');
  const header = bytes[start]!;
  const weights: number[] = [];
  let after = start + 1;
  if (header < 128) {
    after += header;
    if (after > end) throw new ZstdDamage('Huffman tree is cut');
    readCompressedWeights(bytes, view, start + 1, after, weights);
  } else {
    const count = header - 127;
    after += (count + 1) >> 1;
    if (after > end) throw new ZstdDamage('Huffman tree is cut');
    for (let i = 0; i < count; i++) {
      const pair = bytes[start + 1 + (i >> 1)]!;
      weights.push((i & 1) === 0 ? pair >> 4 : pair & 15);
    }
  }
  return { table: buildHuffman(weights), end: after };
}

/** Weights as two interleaved states of one entropy table (RFC 8878 4.2.1.2). */
function readCompressedWeights(bytes: Uint8Array, view: DataView, start: number, end: number, weights: number[]): void {
  const { table, end: bitsStart } = readTable(bytes, start, end, 6, 255);
  const bits = new BackwardBits(view);
  bits.begin(bitsStart, end);
  const states = [bits.read(table.accuracy), bits.read(table.accuracy)];
  // A table of one symbol reads no bits and would never end; 255 weights are the most there can be.
  for (let turn = 0; ; turn ^= 1) {
    if (weights.length >= 255) throw new ZstdDamage('Huffman tree has too many weights');
    const state = states[turn]!;
    weights.push(table.symbol[state]!);
    const count = table.bits[state]!;
    if (!bits.has(count)) {
      weights.push(table.symbol[states[turn ^ 1]!]!);
      return;
    }
    states[turn] = table.base[state]! + bits.read(count);
  }
}

/** The last weight is not sent: it fills the sum up to a power of two. */
function buildHuffman(weights: number[]): HuffmanTable {
  let sum = 0;
  for (const weight of weights) {
    if (weight > MAX_BITS) throw new ZstdDamage('Huffman code is too long');
    if (weight > 0) sum += 1 << (weight - 1);
  }
  if (sum === 0) throw new ZstdDamage('Huffman tree is empty');
  const bits = msb(sum) + 1;
  const left = (1 << bits) - sum;
  if (bits > MAX_BITS || (left & (left - 1)) !== 0) throw new ZstdDamage('Huffman tree is not whole');
  weights.push(msb(left) + 1);
  if (weights.length > 256) throw new ZstdDamage('Huffman tree has too many weights');
  const entries = new Uint16Array(1 << bits);
  let at = 0;
  // Codes are given by rising weight, and within a weight by symbol.
  for (let weight = 1; weight <= bits; weight++) {
    const span = 1 << (weight - 1);
    const length = bits + 1 - weight;
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      entries.fill((symbol << 4) | length, at, at + span);
      at += span;
    }
  }
  return { bits, entries };
}

/** Decodes one stream into `out[from, to)`. Needs `PADDING` readable bytes before `start`. */
export function decodeHuffman(
  table: HuffmanTable,
  view: DataView,
  start: number,
  end: number,
  out: Uint8Array,
  from: number,
  to: number,
): void {
  const { bits, entries } = table;
  const mask = (1 << bits) - 1;
  const last = end > start ? view.getUint8(end - 1) : 0;
  if (last === 0) throw new ZstdDamage('literal stream without an end mark');
  const floor = start * 8;
  let at = (end - 1) * 8 + msb(last);
  let o = from;
  // One load holds at least 25 bits below `at`, enough for two codes. Bits below the floor are the padding's: a code that
  // uses them leaves `at` below the floor at the end.
  const even = to - ((to - from) & 1);
  while (o < even) {
    const low = (at - 25) & ~7;
    const word = view.getInt32(low >> 3, true);
    const first = entries[(word >>> (at - low - bits)) & mask]!;
    at -= first & 15;
    const second = entries[(word >>> (at - low - bits)) & mask]!;
    at -= second & 15;
    out[o] = first >>> 4;
    out[o + 1] = second >>> 4;
    o += 2;
    if (at < floor) throw new ZstdDamage('literal stream is too short');
  }
  if (o < to) {
    const low = (at - 25) & ~7;
    const word = view.getInt32(low >> 3, true);
    const only = entries[(word >>> (at - low - bits)) & mask]!;
    at -= only & 15;
    out[o] = only >>> 4;
  }
  if (at !== floor) throw new ZstdDamage('literal stream has the wrong length');
}
