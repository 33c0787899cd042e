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
import { AT, CODE_LENGTH, DISTANCES, END, INVALID, LENGTHS, LITERALS, VALUE } from './huffman-code.ts';
import type { CodeTable } from './huffman-code.ts';
import { plus, whilst } from './integers-code.ts';

/**
 * Raw deflate (RFC 1951) of short byte strings, where a call of zlib costs more than its work. What it does not take, it leaves to
 * zlib, which says what is wrong: damaged streams, and codes that no compressor makes (incomplete ones).
 */

/** Locals that all parts of `inflate` share. Of `count` only the low 6 bits are looked at. */
interface Bits {
  readonly at: number;
  readonly hold: number;
  readonly count: number;
}

/** At least 56 bits; reads up to 8 bytes beyond what there is, again and again the same ones. */
const refill = ({ at, hold, count }: Bits): readonly Code[] => [
  set(hold, i64.or(get(hold), i64.shl(i64.loadAny(0, get(at)), i64.extendU(get(count))))),
  plus(at, i32.and(i32.shrU(i32.sub(i32.of(63), get(count)), i32.of(3)), i32.of(7))),
  set(count, i32.or(get(count), i32.of(56))),
];

/** Goes on by the number in the low 6 bits. */
const consume = ({ hold, count }: Bits, bits: Code): Code => [
  ...set(hold, i64.shrU(get(hold), i64.extendU(bits))),
  ...set(count, i32.sub(get(count), bits)),
];

/** Bytes that were read into `hold` and not consumed. */
const unread = ({ count }: Bits): Code => i32.and(i32.shrU(get(count), i32.of(3)), i32.of(7));

const peek = ({ hold }: Bits, bits: number): Code => i32.and(i32.wrap(get(hold)), i32.of((1 << bits) - 1));

/** Copies vectors until `to`: the last one writes up to 15 bytes beyond. */
const copyTo = (out: number, to: number, from: number): Code =>
  whilst(
    i32.ltU(get(out), get(to)),
    v128.storeAny(0, get(out), v128.loadAny(0, get(from))),
    plus(out, 16),
    plus(from, 16),
  );

/** `inflate(at, end, out, outEnd, tables)`: where the content ends, or 0 where zlib is to look at it. Writes up to 32 bytes beyond. */
export function inflate(buildAt: number, longCodeAt: number): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [at, end, out, outEnd, tables] = [0, 1, 2, 3, 4];
  const local = (): number => code.local('i32');
  const [hold, pattern] = [code.local('i64'), code.local('v128')];
  const [start, final, entry, length, distance] = [local(), local(), local(), local(), local()];
  const [from, to, literals, distances, codes] = [local(), local(), local(), local(), local()];
  const [symbol, repeat, step] = [local(), local(), local()];
  const bits: Bits = { at, hold, count: local() };
  const fail = [i32.of(0), leave];
  const place = (offset: number): Code => i32.add(get(tables), i32.of(offset));
  /** Makes the table of a code from the lengths of its codes. */
  const make = ({ bits: width, entries, values, counts }: CodeTable, codesAt: Code, symbols: Code): Code =>
    when(
      i32.eqz(
        call(buildAt, get(tables), codesAt, symbols, i32.of(width), place(entries), place(values), place(counts)),
      ),
      ...fail,
    );
  /** The entry of the next code, of which the bits are there. */
  const look = ({ bits: width, entries, counts, values }: CodeTable): readonly Code[] => [
    set(entry, i32.load(entries, i32.add(get(tables), i32.shl(peek(bits, width), i32.of(2))))),
    when(i32.eqz(get(entry)), set(entry, call(longCodeAt, i32.wrap(get(hold)), place(counts), place(values)))),
  ];
  /** What the entry and the bits behind its code say. */
  const valued = (into: number): readonly Code[] => [
    set(
      into,
      i32.add(
        i32.shrU(get(entry), i32.of(VALUE)),
        i32.shrU(
          i32.and(i32.wrap(get(hold)), i32.sub(i32.shl(i32.of(1), get(entry)), i32.of(1))),
          i32.shrU(get(entry), i32.of(CODE_LENGTH)),
        ),
      ),
    ),
    consume(bits, get(entry)),
  ];
  const isLiteral = i32.ltS(get(entry), i32.of(0));
  const literal: readonly Code[] = [
    i32.store8(0, get(out), i32.shrU(get(entry), i32.of(VALUE))),
    plus(out, 1),
    consume(bits, get(entry)),
  ];

  const copy: readonly Code[] = [
    set(to, i32.add(get(out), get(length))),
    when(i32.or(i32.ltU(get(outEnd), get(to)), i32.ltU(i32.sub(get(out), get(start)), get(distance))), ...fail),
    set(from, i32.sub(get(out), get(distance))),
    either(
      i32.geU(get(distance), i32.of(16)),
      [
        // most are no longer than two vectors
        v128.storeAny(0, get(out), v128.loadAny(0, get(from))),
        v128.storeAny(16, get(out), v128.loadAny(16, get(from))),
        when(i32.gtU(get(length), i32.of(32)), plus(out, 32), plus(from, 32), copyTo(out, to, from)),
      ],
      [
        set(
          pattern,
          v128.swizzle(
            v128.loadAny(0, get(from)),
            v128.load(AT.patterns, i32.add(get(tables), i32.shl(get(distance), i32.of(4)))),
          ),
        ),
        set(step, i32.load8U(AT.steps, i32.add(get(tables), get(distance)))),
        whilst(i32.ltU(get(out), get(to)), v128.storeAny(0, get(out), get(pattern)), plus(out, get(step))),
      ],
    ),
    set(out, get(to)),
  ];

  /** An entry is looked up before the bits that are consumed are replaced: three literals, or one and a length, fit into 56 bits. */
  const symbols = block(
    ...refill(bits),
    ...look(LITERALS),
    loop(
      // beyond the end only the last bytes are read, and only once
      when(i32.or(i32.gtU(get(at), i32.add(get(end), i32.of(8))), i32.gtU(get(out), get(outEnd))), ...fail),
      when(
        isLiteral,
        ...literal,
        ...look(LITERALS),
        when(
          isLiteral,
          ...literal,
          ...look(LITERALS),
          when(isLiteral, ...literal, ...refill(bits), ...look(LITERALS), jump(3)),
        ),
        ...refill(bits),
      ),
      when(
        i32.and(get(entry), i32.of(END | INVALID)),
        when(i32.and(get(entry), i32.of(INVALID)), ...fail),
        consume(bits, get(entry)),
        jump(2),
      ),
      ...valued(length),
      ...look(DISTANCES),
      when(i32.and(get(entry), i32.of(INVALID)), ...fail),
      ...valued(distance),
      ...refill(bits),
      ...look(LITERALS),
      ...copy,
      jump(0),
    ),
  );

  /** Bytes as they are: lengths twice, once inverted. */
  const stored: readonly Code[] = [
    set(at, i32.sub(get(at), unread(bits))),
    set(hold, i64.of(0n)),
    set(bits.count, i32.of(0)),
    when(i32.gtU(i32.add(get(at), i32.of(4)), get(end)), ...fail),
    set(length, i32.load16U(0, get(at))),
    when(i32.ne(i32.xor(i32.load16U(2, get(at)), get(length)), i32.of(0xffff)), ...fail),
    plus(at, 4),
    set(to, i32.add(get(out), get(length))),
    when(i32.or(i32.gtU(i32.add(get(at), get(length)), get(end)), i32.gtU(get(to), get(outEnd))), ...fail),
    set(from, get(at)),
    plus(at, get(length)),
    copyTo(out, to, from),
    set(out, get(to)),
  ];

  const setCodes = (first: number, after: number, bytes: number): readonly Code[] => [
    set(symbol, place(AT.codes + first)),
    set(to, place(AT.codes + after)),
    whilst(i32.ltU(get(symbol), get(to)), i32.store8(0, get(symbol), i32.of(bytes)), plus(symbol, 1)),
  ];
  const fixed: readonly Code[] = [
    ...setCodes(0, 144, 8),
    ...setCodes(144, 256, 9),
    ...setCodes(256, 280, 7),
    ...setCodes(280, 288, 8),
    ...setCodes(LITERALS.symbols, LITERALS.symbols + DISTANCES.symbols, 5),
    set(literals, i32.of(LITERALS.symbols)),
    set(distances, i32.of(DISTANCES.symbols)),
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
      ...refill(bits),
      i32.store8(
        AT.lengthCodes,
        i32.add(get(tables), i32.load8U(AT.order, i32.add(get(tables), get(symbol)))),
        peek(bits, 3),
      ),
      consume(bits, i32.of(3)),
      plus(symbol, 1),
    ),
    make(LENGTHS, place(AT.lengthCodes), i32.of(LENGTHS.symbols)),
    set(from, place(AT.codes)),
    set(to, i32.add(get(from), i32.add(get(literals), get(distances)))),
    whilst(
      i32.ltU(get(from), get(to)),
      ...refill(bits),
      when(i32.gtU(get(at), i32.add(get(end), i32.of(8))), ...fail),
      ...look(LENGTHS),
      consume(bits, get(entry)),
      set(symbol, i32.shrU(get(entry), i32.of(VALUE))),
      when(i32.ltU(get(symbol), i32.of(16)), i32.store8(0, get(from), get(symbol)), plus(from, 1), jump(1)),
      set(codes, i32.of(0)),
      either(
        i32.eq(get(symbol), i32.of(16)),
        [
          when(i32.eq(get(from), place(AT.codes)), ...fail),
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
      ...refill(bits),
      when(i32.gtU(get(at), i32.add(get(end), i32.of(8))), ...fail),
      set(final, peek(bits, 1)),
      consume(bits, i32.of(1)),
      set(symbol, peek(bits, 2)),
      consume(bits, i32.of(2)),
      block(
        when(i32.eq(get(symbol), i32.of(3)), ...fail),
        when(i32.eqz(get(symbol)), ...stored, jump(1)),
        either(i32.eq(get(symbol), i32.of(1)), fixed, dynamic),
        make(LITERALS, place(AT.codes), get(literals)),
        make(DISTANCES, i32.add(place(AT.codes), get(literals)), get(distances)),
        symbols,
      ),
      jumpIf(0, i32.eqz(get(final))),
    ),
    // what was read beyond the end was not there
    ...select(
      get(out),
      i32.of(0),
      i32.and(i32.leU(i32.sub(get(at), unread(bits)), get(end)), i32.leU(get(out), get(outEnd))),
    ),
  ];
  return code;
}
