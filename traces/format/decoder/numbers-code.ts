import {
  FunctionCode,
  either,
  f64,
  get,
  i32,
  i64,
  jump,
  jumpIf,
  leave,
  loop,
  set,
  v128,
  when,
} from '../../wasm/wasm-code.ts';
import type { Code } from '../../wasm/wasm-code.ts';
import { plus, rowsEnd, unzigzag, unzigzag4, whilst } from './integers-code.ts';

/**
 * Numbers in LEB128. Most are of one byte or two, in no foreseeable order: what begins in the next 8 bytes is read at once, by a table
 * that is indexed by the high bits of these. It says for each number which bytes are its own, then how many numbers and bytes there
 * are, up to one of three bytes or more or one that is not whole.
 */
const ENTRY_BYTES = 32;
const NUMBERS = 16;
const BYTES = 17;

/** Bytes of the table. */
export const NUMBER_BYTES: number = 256 * ENTRY_BYTES;

export function numberTable(): Uint8Array {
  const table = new Uint8Array(NUMBER_BYTES);
  for (let more = 0; more < 256; more++) {
    const entry = table.subarray(more * ENTRY_BYTES, (more + 1) * ENTRY_BYTES);
    // of no byte
    entry.fill(0xff, 0, NUMBERS);
    const isLast = (at: number): boolean => ((more >>> at) & 1) === 0;
    let at = 0;
    let numbers = 0;
    while (at < 8 && (isLast(at) || (at < 7 && isLast(at + 1)))) {
      entry[numbers * 2] = at;
      if (!isLast(at++)) entry[numbers * 2 + 1] = at++;
      numbers++;
    }
    entry[NUMBERS] = numbers;
    entry[BYTES] = at;
  }
  return table;
}

/** Locals of a loop that reads numbers: from where, to where, and the table. */
interface Reading {
  readonly at: number;
  readonly end: number;
  readonly out: number;
  readonly outEnd: number;
  readonly table: number;
}

/**
 * Reads by the table and repeats the loop around it, unless the next number is a longer one, or 8 bytes or 8 rows are more than there
 * are. `store` is given two times four numbers, and the row that they begin at; rows are of so many bytes.
 */
function shortNumbers(
  code: FunctionCode,
  { at, end, out, outEnd, table }: Reading,
  rowBytes: number,
  store: (row: number, numbers: Code) => readonly Code[],
): Code {
  const [entry, count, pairs] = [code.local('i32'), code.local('i32'), code.local('v128')];
  const of = (bits: number): Code => v128.splat32(i32.of((bits << 16) | bits));
  return when(
    i32.and(
      i32.leU(i32.add(get(at), i32.of(8)), get(end)),
      i32.leU(i32.add(get(out), i32.of(8 * rowBytes)), get(outEnd)),
    ),
    set(pairs, v128.loadLow64(0, get(at))),
    set(entry, i32.add(get(table), i32.mul(v128.bitmask8(get(pairs)), i32.of(ENTRY_BYTES)))),
    set(count, i32.load8U(NUMBERS, get(entry))),
    when(
      get(count),
      set(pairs, v128.swizzle(get(pairs), v128.loadAny(0, get(entry)))),
      set(pairs, v128.or(v128.and(get(pairs), of(0x7f)), v128.and(v128.shrU32(get(pairs), i32.of(1)), of(0x3f80)))),
      ...store(0, v128.widen16(get(pairs))),
      ...store(4, v128.widenHigh16(get(pairs))),
      plus(at, i32.load8U(BYTES, get(entry))),
      plus(out, i32.mul(get(count), i32.of(rowBytes))),
      jump(2),
    ),
  );
}

/**
 * `varint(at, end)`: an unsigned number of at most 32 bits, in at most 8 bytes, below the position behind it as a 64-bit word;
 * 0 where it ends early or is larger. As `ByteReader.varint`, for what is no larger.
 */
export function varint(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32'], 'i64');
  const [at, end] = [0, 1];
  const [value, bits, byte] = [code.local('i64'), code.local('i64'), code.local('i32')];
  const fail = [i64.of(0n), leave];
  code.body = [
    ...loop(
      when(i32.geU(get(at), get(end)), ...fail),
      when(i64.ltU(i64.of(49n), get(bits)), ...fail),
      set(byte, i32.load8U(0, get(at))),
      plus(at, 1),
      set(value, i64.or(get(value), i64.shl(i64.extendU(i32.and(get(byte), i32.of(0x7f))), get(bits)))),
      set(bits, i64.add(get(bits), i64.of(7n))),
      jumpIf(0, i32.shrU(get(byte), i32.of(7))),
    ),
    ...when(i32.eqz(i64.eqz(i64.shrU(get(value), i64.of(32n)))), ...fail),
    ...i64.or(i64.shl(i64.extendU(get(at)), i64.of(32n)), get(value)),
  ];
  return code;
}

/** `varints(at, end, rows, shift, out, table)`: differences of `delta-varint`, not yet summed up; the position behind, or 0. */
export function varints(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [at, end, rows, shift, out, table] = [0, 1, 2, 3, 4, 5];
  const [outEnd, z, byte, bits] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
  const four = code.local('v128');
  const short = shortNumbers(code, { at, end, out, outEnd, table }, 4, (row, numbers) => [
    set(four, numbers),
    v128.storeAny(row * 4, get(out), v128.shl32(unzigzag4(four), get(shift))),
  ]);
  const fail = [i32.of(0), leave];
  code.body = [
    ...set(outEnd, rowsEnd(out, rows)),
    ...whilst(
      i32.ltU(get(out), get(outEnd)),
      short,
      when(i32.geU(get(at), get(end)), ...fail),
      set(z, i32.load8U(0, get(at))),
      plus(at, 1),
      when(
        i32.shrU(get(z), i32.of(7)),
        set(z, i32.and(get(z), i32.of(0x7f))),
        set(bits, i32.of(7)),
        loop(
          when(i32.or(i32.geU(get(at), get(end)), i32.gtU(get(bits), i32.of(28))), ...fail),
          set(byte, i32.load8U(0, get(at))),
          plus(at, 1),
          set(z, i32.or(get(z), i32.shl(i32.and(get(byte), i32.of(0x7f)), get(bits)))),
          plus(bits, 7),
          jumpIf(0, i32.shrU(get(byte), i32.of(7))),
        ),
      ),
      i32.store(0, get(out), i32.shl(unzigzag(z), get(shift))),
      plus(out, 4),
    ),
    ...get(at),
  ];
  return code;
}

const HIGH_HALF = Array.from({ length: 16 }, (_, i) => 8 + (i % 8));

/**
 * `differences(at, end, events, out, table)`: differences of times from the second event on, as doubles at their event's place; 0 where
 * the bytes end early or a number takes more than 8 of them.
 */
export function differences(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [at, end, events, out, table] = [0, 1, 2, 3, 4];
  const [outEnd, byte] = [code.local('i32'), code.local('i32')];
  const [z, bits] = [code.local('i64'), code.local('i64')];
  const four = code.local('v128');
  const short = shortNumbers(code, { at, end, out, outEnd, table }, 8, (row, numbers) => [
    set(four, numbers),
    set(four, unzigzag4(four)),
    v128.storeAny(row * 8, get(out), v128.doubles(get(four))),
    v128.storeAny(row * 8 + 16, get(out), v128.doubles(v128.shuffle(HIGH_HALF, get(four), get(four)))),
  ]);
  const fail = [i32.of(0), leave];
  code.body = [
    ...set(outEnd, i32.add(get(out), i32.shl(get(events), i32.of(3)))),
    ...plus(out, 8),
    ...whilst(
      i32.ltU(get(out), get(outEnd)),
      short,
      when(i32.geU(get(at), get(end)), ...fail),
      set(byte, i32.load8U(0, get(at))),
      plus(at, 1),
      either(
        i32.ltU(get(byte), i32.of(0x80)),
        [f64.store(0, get(out), f64.ofI32(unzigzag(byte)))],
        [
          set(z, i64.extendU(i32.and(get(byte), i32.of(0x7f)))),
          set(bits, i64.of(7n)),
          loop(
            when(i32.or(i32.geU(get(at), get(end)), i64.ltU(i64.of(49n), get(bits))), ...fail),
            set(byte, i32.load8U(0, get(at))),
            plus(at, 1),
            set(z, i64.or(get(z), i64.shl(i64.extendU(i32.and(get(byte), i32.of(0x7f))), get(bits)))),
            set(bits, i64.add(get(bits), i64.of(7n))),
            jumpIf(0, i32.shrU(get(byte), i32.of(7))),
          ),
          either(
            i64.eqz(i64.shrU(get(z), i64.of(53n))),
            [
              f64.store(
                0,
                get(out),
                f64.ofI64(i64.xor(i64.shrU(get(z), i64.of(1n)), i64.sub(i64.of(0n), i64.and(get(z), i64.of(1n))))),
              ),
            ],
            // no double is odd there
            [f64.store(0, get(out), f64.mul(f64.ofU64(get(z)), f64.of(0.5)))],
          ),
        ],
      ),
      plus(out, 8),
    ),
    ...i32.of(1),
  ];
  return code;
}
