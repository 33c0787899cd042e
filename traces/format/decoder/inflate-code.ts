import {
  FunctionCode,
  block,
  call,
  either,
  get,
  i32,
  i64,
  jump,
  jumpIf,
  leave,
  loop,
  select,
  set,
  tee,
  v128,
  when,
} from '../../wasm/wasm-code.ts';
import type { Code } from '../../wasm/wasm-code.ts';
import { plus, whilst } from './integers-code.ts';

/**
 * Raw deflate (RFC 1951) of short byte strings, where a call of zlib costs more than its work. What it does not take, it leaves to
 * zlib, which says what is wrong: damaged streams, and codes that no compressor makes (incomplete ones).
 */

/** What the entry of a symbol says beside the length of its code, which is in bits 3:0. An entry of 0: a code longer than the table's. */
const LITERAL = 0x10;
const BLOCK_END = 0x40;
const INVALID = 0x80;
/** Of a literal its byte; of a length or a distance the number of further bits. */
const EXTRA = 8;
const BASE = 16;

const LITERALS = 288;
const DISTANCES = 32;
const CODE_LENGTHS = 19;
/** Bits by which tables are indexed. */
const LITERAL_BITS = 11;
const DISTANCE_BITS = 9;
const LENGTH_BITS = 7;
const LONGEST = 15;

/** Where tables are, in bytes behind the address that functions get. `counts` have their symbols in order of code behind them. */
const AT = {
  literals: 0,
  distances: 8192,
  lengths: 10240,
  literalValues: 10752,
  distanceValues: 11904,
  lengthValues: 12032,
  literalCounts: 12160,
  distanceCounts: 12800,
  lengthCounts: 12928,
  /** Lengths of codes, a byte each: of literals, then of distances; then those of the lengths' own code. */
  codes: 13056,
  lengthCodes: 13440,
  offsets: 13504,
  order: 13568,
} as const;
const SORTED = 64;

/** Bytes of all tables. */
export const INFLATE_BYTES = 13632;

/** What tables begin with: what each symbol stands for. */
export function inflateTables(): Int32Array {
  const words = new Int32Array(INFLATE_BYTES / 4);
  const literals = words.subarray(AT.literalValues / 4);
  for (let symbol = 0; symbol < 256; symbol++) literals[symbol] = LITERAL | (symbol << EXTRA);
  literals[256] = BLOCK_END;
  for (let symbol = 257, base = 3; symbol < 286; symbol++) {
    const extra = symbol < 265 || symbol === 285 ? 0 : (symbol - 261) >>> 2;
    // 258 has a symbol of its own
    if (symbol === 285) base = 258;
    literals[symbol] = (extra << EXTRA) | (base << BASE);
    base += 1 << extra;
  }
  literals.fill(INVALID, 286, LITERALS);
  const distances = words.subarray(AT.distanceValues / 4);
  for (let symbol = 0, base = 1; symbol < 30; symbol++) {
    const extra = symbol < 4 ? 0 : (symbol - 2) >>> 1;
    distances[symbol] = (extra << EXTRA) | (base << BASE);
    base += 1 << extra;
  }
  distances.fill(INVALID, 30, DISTANCES);
  for (let symbol = 0; symbol < CODE_LENGTHS; symbol++) words[AT.lengthValues / 4 + symbol] = symbol << EXTRA;
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  new Uint8Array(words.buffer).set(order, AT.order);
  return words;
}

/** `build(tables, codes, symbols, bits, table, values, counts)`: the table of a code; 0 where the code is not a whole one. */
export function build(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [tables, codes, symbols, bits, table, values, counts] = [0, 1, 2, 3, 4, 5, 6];
  const local = (): number => code.local('i32');
  const [i, length, left, at, sum, symbol, reversed, bit, end] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  const zero = v128.splat32(i32.of(0));
  const word = (base: number, index: number): Code => i32.add(get(base), i32.shl(get(index), i32.of(2)));
  const offset = i32.add(get(tables), i32.shl(get(length), i32.of(2)));
  code.body = [
    ...[0, 16, 32, 48].flatMap((place) => v128.storeAny(place, get(counts), zero)),
    ...whilst(
      i32.ltU(get(i), get(symbols)),
      set(length, i32.load8U(0, i32.add(get(codes), get(i)))),
      set(at, word(counts, length)),
      i32.store(0, get(at), i32.add(i32.load(0, get(at)), i32.of(1))),
      plus(i, 1),
    ),
    ...set(left, i32.of(1)),
    ...set(length, i32.of(1)),
    ...whilst(
      i32.leU(get(length), i32.of(LONGEST)),
      i32.store(AT.offsets, offset, get(sum)),
      set(i, i32.load(0, word(counts, length))),
      plus(sum, get(i)),
      set(left, i32.sub(i32.shl(get(left), i32.of(1)), get(i))),
      when(i32.shrU(get(left), i32.of(31)), i32.of(0), leave),
      plus(length, 1),
    ),
    ...when(get(left), i32.of(0), leave),
    ...set(i, i32.of(0)),
    ...whilst(
      i32.ltU(get(i), get(symbols)),
      set(length, i32.load8U(0, i32.add(get(codes), get(i)))),
      when(
        get(length),
        set(at, offset),
        set(left, i32.load(AT.offsets, get(at))),
        i32.store(AT.offsets, get(at), i32.add(get(left), i32.of(1))),
        i32.store16(SORTED, i32.add(get(counts), i32.shl(get(left), i32.of(1))), get(i)),
      ),
      plus(i, 1),
    ),
    // codes that the table is too short for keep an entry of 0
    ...set(at, get(table)),
    ...set(end, i32.add(get(table), i32.shl(i32.of(4), get(bits)))),
    ...whilst(i32.ltU(get(at), get(end)), v128.storeAny(0, get(at), zero), plus(at, 16)),
    ...set(i, i32.of(0)),
    ...whilst(
      i32.ltU(get(i), get(sum)),
      set(symbol, i32.load16U(SORTED, i32.add(get(counts), i32.shl(get(i), i32.of(1))))),
      set(length, i32.load8U(0, i32.add(get(codes), get(symbol)))),
      when(i32.gtU(get(length), get(bits)), i32.of(1), leave),
      set(left, i32.or(i32.load(0, word(values, symbol)), get(length))),
      set(at, word(table, reversed)),
      whilst(i32.ltU(get(at), get(end)), i32.store(0, get(at), get(left)), plus(at, i32.shl(i32.of(4), get(length)))),
      // one more, counted from the first bit
      set(bit, i32.shl(i32.of(1), i32.sub(get(length), i32.of(1)))),
      whilst(
        i32.and(get(reversed), get(bit)),
        set(reversed, i32.xor(get(reversed), get(bit))),
        set(bit, i32.shrU(get(bit), i32.of(1))),
      ),
      set(reversed, i32.or(get(reversed), get(bit))),
      plus(i, 1),
    ),
    ...i32.of(1),
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
    ...loop(
      plus(length, 1),
      set(value, i32.or(i32.shl(get(value), i32.of(1)), i32.and(get(bits), i32.of(1)))),
      set(bits, i32.shrU(get(bits), i32.of(1))),
      set(first, i32.shl(get(first), i32.of(1))),
      set(count, i32.load(0, i32.add(get(counts), i32.shl(get(length), i32.of(2))))),
      when(
        i32.ltU(i32.sub(get(value), get(first)), get(count)),
        set(index, i32.add(get(index), i32.sub(get(value), get(first)))),
        set(index, i32.load16U(SORTED, i32.add(get(counts), i32.shl(get(index), i32.of(1))))),
        i32.or(i32.load(0, i32.add(get(values), i32.shl(get(index), i32.of(2)))), get(length)),
        leave,
      ),
      plus(index, get(count)),
      plus(first, get(count)),
      jumpIf(0, i32.ltU(get(length), i32.of(LONGEST))),
    ),
    ...i32.of(INVALID),
  ];
  return code;
}

/** Names of the locals that all parts of `inflate` share. */
interface Bits {
  readonly at: number;
  readonly hold: number;
  readonly count: number;
}

/** At least 56 bits; reads up to 8 bytes beyond what there is, again and again the same ones. */
const refill = ({ at, hold, count }: Bits): Code => [
  ...set(hold, i64.or(get(hold), i64.shl(i64.loadAny(0, get(at)), get(count)))),
  ...plus(at, i32.wrap(i64.shrU(i64.sub(i64.of(63n), get(count)), i64.of(3n)))),
  ...set(count, i64.or(get(count), i64.of(56n))),
];

const consume = ({ hold, count }: Bits, bits: Code): Code => [
  ...set(hold, i64.shrU(get(hold), i64.extendU(bits))),
  ...set(count, i64.sub(get(count), i64.extendU(bits))),
];

const peek = ({ hold }: Bits, bits: number): Code => i32.and(i32.wrap(get(hold)), i32.of((1 << bits) - 1));

/** `inflate(at, end, out, outEnd, tables)`: where the content ends, or 0 where zlib is to look at it. Writes up to 32 bytes beyond. */
export function inflate(buildAt: number, longCodeAt: number): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [at, end, out, outEnd, tables] = [0, 1, 2, 3, 4];
  const local = (): number => code.local('i32');
  const [hold, count] = [code.local('i64'), code.local('i64')];
  const bits: Bits = { at, hold, count };
  const [start, final, entry, length, distance, from, to] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  const [literals, distances, codes, symbol, repeat] = [local(), local(), local(), local(), local()];
  const fail = [i32.of(0), leave];
  const table = (offset: number): Code => i32.add(get(tables), i32.of(offset));
  const make = (codesAt: Code, symbols: Code, width: number, tableAt: number, values: number, counts: number): Code =>
    when(
      i32.eqz(
        call(buildAt, get(tables), codesAt, symbols, i32.of(width), table(tableAt), table(values), table(counts)),
      ),
      ...fail,
    );
  /** The entry of the next code, of which the bits are there. */
  const look = (width: number, tableAt: number, counts: number, values: number): Code => [
    ...set(entry, i32.load(tableAt, i32.add(get(tables), i32.shl(peek(bits, width), i32.of(2))))),
    ...when(i32.eqz(get(entry)), set(entry, call(longCodeAt, i32.wrap(get(hold)), table(counts), table(values)))),
  ];
  const codeBits = i32.and(get(entry), i32.of(15));
  /** Base of the entry, and the bits behind its code. */
  const valued = (into: number): Code => [
    ...consume(bits, codeBits),
    ...set(symbol, i32.and(i32.shrU(get(entry), i32.of(EXTRA)), i32.of(15))),
    ...set(
      into,
      i32.add(
        i32.shrU(get(entry), i32.of(BASE)),
        i32.and(i32.wrap(get(hold)), i32.sub(i32.shl(i32.of(1), get(symbol)), i32.of(1))),
      ),
    ),
    ...consume(bits, get(symbol)),
  ];
  const literal: readonly Code[] = [
    i32.store8(0, get(out), i32.shrU(get(entry), i32.of(EXTRA))),
    plus(out, 1),
    consume(bits, codeBits),
  ];

  const copy: readonly Code[] = [
    set(to, i32.add(get(out), get(length))),
    when(i32.or(i32.ltU(get(outEnd), get(to)), i32.ltU(i32.sub(get(out), get(start)), get(distance))), ...fail),
    set(from, i32.sub(get(out), get(distance))),
    either(
      i32.eq(get(distance), i32.of(1)),
      [
        whilst(
          i32.ltU(get(out), get(to)),
          v128.storeAny(0, get(out), v128.splat8(i32.load8U(0, get(from)))),
          plus(out, 16),
        ),
      ],
      [
        // a pattern shorter than a vector grows until it is as long
        whilst(
          i32.and(i32.ltU(get(distance), i32.of(16)), i32.ltU(get(out), get(to))),
          v128.storeAny(0, get(out), v128.loadAny(0, get(from))),
          plus(out, get(distance)),
          plus(distance, get(distance)),
        ),
        whilst(
          i32.ltU(get(out), get(to)),
          v128.storeAny(0, get(out), v128.loadAny(0, get(from))),
          plus(out, 16),
          plus(from, 16),
        ),
      ],
    ),
    set(out, get(to)),
  ];

  const symbols = block(
    loop(
      refill(bits),
      // beyond the end only the last bytes are read, and only once
      when(i32.or(i32.gtU(get(at), i32.add(get(end), i32.of(8))), i32.gtU(get(out), get(outEnd))), ...fail),
      look(LITERAL_BITS, AT.literals, AT.literalCounts, AT.literalValues),
      when(
        i32.and(get(entry), i32.of(LITERAL)),
        ...literal,
        look(LITERAL_BITS, AT.literals, AT.literalCounts, AT.literalValues),
        jumpIf(1, i32.eqz(i32.and(get(entry), i32.of(LITERAL)))),
        ...literal,
        jump(1),
      ),
      when(i32.and(get(entry), i32.of(BLOCK_END)), consume(bits, codeBits), jump(2)),
      when(i32.and(get(entry), i32.of(INVALID)), ...fail),
      valued(length),
      look(DISTANCE_BITS, AT.distances, AT.distanceCounts, AT.distanceValues),
      when(i32.and(get(entry), i32.of(INVALID)), ...fail),
      valued(distance),
      ...copy,
      jump(0),
    ),
  );

  /** Bytes as they are: lengths twice, once inverted. */
  const stored: readonly Code[] = [
    consume(bits, i32.and(i32.wrap(get(count)), i32.of(7))),
    set(at, i32.sub(get(at), i32.wrap(i64.shrU(get(count), i64.of(3n))))),
    set(hold, i64.of(0n)),
    set(count, i64.of(0n)),
    when(i32.gtU(i32.add(get(at), i32.of(4)), get(end)), ...fail),
    set(length, i32.load16U(0, get(at))),
    when(i32.ne(i32.xor(i32.load16U(2, get(at)), get(length)), i32.of(0xffff)), ...fail),
    plus(at, 4),
    set(to, i32.add(get(out), get(length))),
    when(i32.or(i32.gtU(i32.add(get(at), get(length)), get(end)), i32.gtU(get(to), get(outEnd))), ...fail),
    set(from, get(at)),
    plus(at, get(length)),
    whilst(
      i32.ltU(get(out), get(to)),
      v128.storeAny(0, get(out), v128.loadAny(0, get(from))),
      plus(out, 16),
      plus(from, 16),
    ),
    set(out, get(to)),
  ];

  const setCodes = (first: number, after: number, bytes: number): readonly Code[] => [
    set(symbol, table(AT.codes + first)),
    set(to, table(AT.codes + after)),
    whilst(i32.ltU(get(symbol), get(to)), i32.store8(0, get(symbol), i32.of(bytes)), plus(symbol, 1)),
  ];
  const fixed: readonly Code[] = [
    ...setCodes(0, 144, 8),
    ...setCodes(144, 256, 9),
    ...setCodes(256, 280, 7),
    ...setCodes(280, 288, 8),
    ...setCodes(LITERALS, LITERALS + DISTANCES, 5),
    set(literals, i32.of(LITERALS)),
    set(distances, i32.of(DISTANCES)),
  ];

  /** Lengths of codes, which are coded themselves: 16 repeats the last, 17 and 18 are runs of zeros. */
  const dynamic: readonly Code[] = [
    set(literals, i32.add(peek(bits, 5), i32.of(257))),
    consume(bits, i32.of(5)),
    set(distances, i32.add(peek(bits, 5), i32.of(1))),
    consume(bits, i32.of(5)),
    set(codes, i32.add(peek(bits, 4), i32.of(4))),
    consume(bits, i32.of(4)),
    when(i32.or(i32.gtU(get(literals), i32.of(286)), i32.gtU(get(distances), i32.of(30))), ...fail),
    v128.storeAny(AT.lengthCodes, get(tables), v128.splat32(i32.of(0))),
    v128.storeAny(AT.lengthCodes + 16, get(tables), v128.splat32(i32.of(0))),
    set(symbol, i32.of(0)),
    whilst(
      i32.ltU(get(symbol), get(codes)),
      refill(bits),
      i32.store8(
        AT.lengthCodes,
        i32.add(get(tables), i32.load8U(AT.order, i32.add(get(tables), get(symbol)))),
        peek(bits, 3),
      ),
      consume(bits, i32.of(3)),
      plus(symbol, 1),
    ),
    make(table(AT.lengthCodes), i32.of(CODE_LENGTHS), LENGTH_BITS, AT.lengths, AT.lengthValues, AT.lengthCounts),
    set(from, table(AT.codes)),
    set(to, i32.add(get(from), i32.add(get(literals), get(distances)))),
    whilst(
      i32.ltU(get(from), get(to)),
      refill(bits),
      when(i32.gtU(get(at), i32.add(get(end), i32.of(8))), ...fail),
      look(LENGTH_BITS, AT.lengths, AT.lengthCounts, AT.lengthValues),
      consume(bits, codeBits),
      set(symbol, i32.shrU(get(entry), i32.of(EXTRA))),
      when(i32.ltU(get(symbol), i32.of(16)), i32.store8(0, get(from), get(symbol)), plus(from, 1), jump(1)),
      set(codes, i32.of(0)),
      either(
        i32.eq(get(symbol), i32.of(16)),
        [
          when(i32.eq(get(from), table(AT.codes)), ...fail),
          set(codes, i32.load8U(0, i32.sub(get(from), i32.of(1)))),
          set(repeat, i32.add(peek(bits, 2), i32.of(3))),
          consume(bits, i32.of(2)),
        ],
        [
          either(
            i32.eq(get(symbol), i32.of(17)),
            [set(repeat, i32.add(peek(bits, 3), i32.of(3))), consume(bits, i32.of(3))],
            [set(repeat, i32.add(peek(bits, 7), i32.of(11))), consume(bits, i32.of(7))],
          ),
        ],
      ),
      when(i32.gtU(i32.add(get(from), get(repeat)), get(to)), ...fail),
      loop(
        i32.store8(0, get(from), get(codes)),
        plus(from, 1),
        jumpIf(0, tee(repeat, i32.sub(get(repeat), i32.of(1)))),
      ),
    ),
    // no end of the block
    when(i32.eqz(i32.load8U(AT.codes + 256, get(tables))), ...fail),
  ];

  code.body = [
    ...set(start, get(out)),
    ...loop(
      refill(bits),
      when(i32.gtU(get(at), i32.add(get(end), i32.of(8))), ...fail),
      set(final, peek(bits, 1)),
      consume(bits, i32.of(1)),
      set(symbol, peek(bits, 2)),
      consume(bits, i32.of(2)),
      block(
        when(i32.eq(get(symbol), i32.of(3)), ...fail),
        when(i32.eqz(get(symbol)), ...stored, jump(1)),
        either(i32.eq(get(symbol), i32.of(1)), fixed, dynamic),
        make(table(AT.codes), get(literals), LITERAL_BITS, AT.literals, AT.literalValues, AT.literalCounts),
        make(
          i32.add(table(AT.codes), get(literals)),
          get(distances),
          DISTANCE_BITS,
          AT.distances,
          AT.distanceValues,
          AT.distanceCounts,
        ),
        symbols,
      ),
      jumpIf(0, i32.eqz(get(final))),
    ),
    // what was read beyond the end was not there
    ...select(
      get(out),
      i32.of(0),
      i32.and(
        i32.leU(i32.sub(get(at), i32.wrap(i64.shrU(get(count), i64.of(3n)))), get(end)),
        i32.leU(get(out), get(outEnd)),
      ),
    ),
  ];
  return code;
}
