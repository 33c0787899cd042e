import { FunctionCode, get, i32, jumpIf, leave, loop, set, v128, when } from '../../wasm/wasm-code.ts';
import type { Code } from '../../wasm/wasm-code.ts';
import { plus, whilst } from './integers-code.ts';

/**
 * Huffman codes of deflate (RFC 1951, 3.2.2) as tables that are indexed by the next bits. An entry says of the symbol that they
 * begin with:
 *
 *     bits 5:0    length of its code and of the bits behind it that belong to it
 *     bit 6       END: of the block
 *     bit 7       INVALID: no such length or distance
 *     bits 11:8   length of its code
 *     bits 30:16  a literal, or what a length or a distance begins at
 *     bit 31      set for literals
 *
 * An entry of 0 stands for codes that are longer than what the table is indexed by.
 */
export const END = 0x40;
export const INVALID = 0x80;
export const CODE_LENGTH = 8;
export const VALUE = 16;
const LITERAL = 0x8000_0000;
const LONGEST = 15;
/** Lengths of a code's codes are counted in so many bytes; behind them are its symbols in the order of their codes. */
const SORTED = 64;

/** A table and what it is made from: places in bytes behind the address that all functions get. */
export interface CodeTable {
  readonly symbols: number;
  /** Bits that it is indexed by. */
  readonly bits: number;
  readonly entries: number;
  /** Entries of the symbols, without the lengths of their codes. */
  readonly values: number;
  readonly counts: number;
}

let end = 0;
function room(bytes: number): number {
  const at = end;
  end += Math.ceil(bytes / 64) * 64;
  return at;
}

function codeTable(symbols: number, bits: number): CodeTable {
  return { symbols, bits, entries: room(4 << bits), values: room(symbols * 4), counts: room(SORTED + symbols * 2) };
}

export const LITERALS = codeTable(288, 11);
export const DISTANCES = codeTable(32, 9);
export const LENGTHS = codeTable(19, 7);

/** Places of other tables. */
export const AT = {
  /** Lengths of codes, a byte each: of literals, then of distances; and those of the lengths' own code. */
  codes: room(LITERALS.symbols + DISTANCES.symbols),
  lengthCodes: room(LENGTHS.symbols),
  /** In which order the latter come. */
  order: room(LENGTHS.symbols),
  offsets: room((LONGEST + 1) * 4),
  /** For each distance below 16 which bytes fill a vector, and how many of them are whole repetitions. */
  patterns: room(16 * 16),
  steps: room(16),
} as const;

/** Bytes of all tables. */
export const INFLATE_BYTES: number = end;

/** What tables begin with: what each symbol stands for. */
export function inflateTables(): Int32Array {
  const words = new Int32Array(INFLATE_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  const literals = words.subarray(LITERALS.values / 4);
  for (let symbol = 0; symbol < 256; symbol++) literals[symbol] = LITERAL | (symbol << VALUE);
  literals[256] = END;
  for (let symbol = 257, base = 3; symbol < 286; symbol++) {
    const extra = symbol < 265 || symbol === 285 ? 0 : (symbol - 261) >>> 2;
    // 258 has a symbol of its own
    if (symbol === 285) base = 258;
    literals[symbol] = extra | (base << VALUE);
    base += 1 << extra;
  }
  literals.fill(INVALID, 286, LITERALS.symbols);
  const distances = words.subarray(DISTANCES.values / 4);
  for (let symbol = 0, base = 1; symbol < 30; symbol++) {
    const extra = symbol < 4 ? 0 : (symbol - 2) >>> 1;
    distances[symbol] = extra | (base << VALUE);
    base += 1 << extra;
  }
  distances.fill(INVALID, 30, DISTANCES.symbols);
  for (let symbol = 0; symbol < LENGTHS.symbols; symbol++) words[LENGTHS.values / 4 + symbol] = symbol << VALUE;
  bytes.set([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15], AT.order);
  for (let distance = 1; distance < 16; distance++) {
    for (let i = 0; i < 16; i++) bytes[AT.patterns + distance * 16 + i] = i % distance;
    bytes[AT.steps + distance] = 16 - (16 % distance);
  }
  return words;
}

/** An entry of `values`, with the length of its code. */
const withLength = (value: Code, length: Code): Code => i32.add(value, i32.mul(length, i32.of((1 << CODE_LENGTH) | 1)));

/** `build(tables, codes, symbols, bits, table, values, counts)`: the table of a code; 0 where the code is not a whole one. */
export function build(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [tables, codes, symbols, bits, table, values, counts] = [0, 1, 2, 3, 4, 5, 6];
  const local = (): number => code.local('i32');
  const [i, length, left, at, sum, symbol] = [local(), local(), local(), local(), local(), local()];
  const [reversed, bit, filled, from] = [local(), local(), local(), local()];
  const zero = v128.splat32(i32.of(0));
  const word = (base: number, index: number): Code => i32.add(get(base), i32.shl(get(index), i32.of(2)));
  const offset = i32.add(get(tables), i32.shl(get(length), i32.of(2)));
  /** What is filled of the table is repeated behind it. */
  const repeatTo = (size: Code): Code =>
    whilst(
      i32.ltU(get(filled), size),
      set(from, get(table)),
      set(at, i32.add(get(table), get(filled))),
      set(filled, i32.shl(get(filled), i32.of(1))),
      loop(
        v128.storeAny(0, get(at), v128.loadAny(0, get(from))),
        plus(from, 16),
        plus(at, 16),
        jumpIf(0, i32.ltU(get(at), i32.add(get(table), get(filled)))),
      ),
    );
  code.body = [
    ...[0, 16, 32, 48].map((place) => v128.storeAny(place, get(counts), zero)),
    whilst(
      i32.ltU(get(i), get(symbols)),
      set(length, i32.load8U(0, i32.add(get(codes), get(i)))),
      set(at, word(counts, length)),
      i32.store(0, get(at), i32.add(i32.load(0, get(at)), i32.of(1))),
      plus(i, 1),
    ),
    set(left, i32.of(1)),
    set(length, i32.of(1)),
    whilst(
      i32.leU(get(length), i32.of(LONGEST)),
      i32.store(AT.offsets, offset, get(sum)),
      set(i, i32.load(0, word(counts, length))),
      plus(sum, get(i)),
      set(left, i32.sub(i32.shl(get(left), i32.of(1)), get(i))),
      when(i32.shrU(get(left), i32.of(31)), i32.of(0), leave),
      plus(length, 1),
    ),
    when(get(left), i32.of(0), leave),
    // symbols without a code come last
    i32.store(AT.offsets, get(tables), get(sum)),
    set(i, i32.of(0)),
    whilst(
      i32.ltU(get(i), get(symbols)),
      set(length, i32.load8U(0, i32.add(get(codes), get(i)))),
      set(at, offset),
      set(left, i32.load(AT.offsets, get(at))),
      i32.store(AT.offsets, get(at), i32.add(get(left), i32.of(1))),
      i32.store16(SORTED, i32.add(get(counts), i32.shl(get(left), i32.of(1))), get(i)),
      plus(i, 1),
    ),
    i32.store(0, get(table), i32.of(0)),
    set(filled, i32.of(4)),
    set(i, i32.of(0)),
    whilst(
      i32.ltU(get(i), get(sum)),
      set(symbol, i32.load16U(SORTED, i32.add(get(counts), i32.shl(get(i), i32.of(1))))),
      set(length, i32.load8U(0, i32.add(get(codes), get(symbol)))),
      jumpIf(1, i32.gtU(get(length), get(bits))),
      repeatTo(i32.shl(i32.of(4), get(length))),
      i32.store(0, word(table, reversed), withLength(i32.load(0, word(values, symbol)), get(length))),
      // one more, counted from the first bit: the ones before the first 0 are cleared
      set(at, i32.shl(i32.xor(get(reversed), i32.of(-1)), i32.sub(i32.of(32), get(length)))),
      set(bit, i32.shrU(i32.shl(i32.of(1), i32.sub(get(length), i32.of(1))), i32.clz(get(at)))),
      set(reversed, i32.or(i32.and(get(reversed), i32.sub(get(bit), i32.of(1))), get(bit))),
      plus(i, 1),
    ),
    repeatTo(i32.shl(i32.of(4), get(bits))),
    i32.of(1),
  ];
  return code;
}

/** `longCode(bits, counts, values)`: the entry of a code that its table is too short for, found bit by bit. */
export function longCode(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32'], 'i32');
  const [bits, counts, values] = [0, 1, 2];
  const local = (): number => code.local('i32');
  const [value, first, index, length, count] = [local(), local(), local(), local(), local()];
  code.body = [
    loop(
      plus(length, 1),
      set(value, i32.or(i32.shl(get(value), i32.of(1)), i32.and(get(bits), i32.of(1)))),
      set(bits, i32.shrU(get(bits), i32.of(1))),
      set(first, i32.shl(get(first), i32.of(1))),
      set(count, i32.load(0, i32.add(get(counts), i32.shl(get(length), i32.of(2))))),
      when(
        i32.ltU(i32.sub(get(value), get(first)), get(count)),
        set(index, i32.add(get(index), i32.sub(get(value), get(first)))),
        set(index, i32.load16U(SORTED, i32.add(get(counts), i32.shl(get(index), i32.of(1))))),
        withLength(i32.load(0, i32.add(get(values), i32.shl(get(index), i32.of(2)))), get(length)),
        leave,
      ),
      plus(index, get(count)),
      plus(first, get(count)),
      jumpIf(0, i32.ltU(get(length), i32.of(LONGEST))),
    ),
    i32.of(INVALID),
  ];
  return code;
}
