import {
  FunctionCode,
  block,
  either,
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

/**
 * The loops of the integer codecs (`codecs/*.ts`, whose TypeScript is the definition). Rows are written four at a time: what is
 * written to has room up to the next multiple of 64 bytes, what is read from 16 bytes more than is used of it.
 */

/** Repeats while `condition` holds, which is looked at first; in the body `jump(1)` ends it. */
export const whilst = (condition: Code, ...body: readonly Code[]): Code =>
  block(loop(jumpIf(1, i32.eqz(condition)), ...body, jump(0)));

export const plus = (local: number, value: number | Code): Code =>
  set(local, i32.add(get(local), typeof value === 'number' ? i32.of(value) : value));

/** Address of the end of so many 32-bit rows. */
export const rowsEnd = (at: number, rows: number): Code => i32.add(get(at), i32.shl(get(rows), i32.of(2)));

/** (z >>> 1) ^ -(z & 1), of a local. */
export const unzigzag = (z: number): Code =>
  i32.xor(i32.shrU(get(z), i32.of(1)), i32.sub(i32.of(0), i32.and(get(z), i32.of(1))));

export const unzigzag4 = (z: number): Code =>
  v128.xor(v128.shrU32(get(z), i32.of(1)), v128.negate32(v128.and(get(z), v128.splat32(i32.of(1)))));

/** `planes(at, rows, planes, shift, out)`: differences of `delta-planes`, not yet summed up. */
export function planes(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [at, rows, count, shift, out] = [0, 1, 2, 3, 4];
  const [end, z] = [code.local('i32'), code.local('v128')];
  const from = Array.from({ length: 4 }, () => code.local('i32'));
  const plane = (p: number): Code =>
    v128.shl32(v128.widen16(v128.widen8(v128.loadLow32(0, get(from[p]!)))), i32.of(8 * p));
  const loopOf = (n: number): Code =>
    whilst(
      i32.ltU(get(out), get(end)),
      set(z, plane(0)),
      ...Array.from({ length: n - 1 }, (_, p) => set(z, v128.or(get(z), plane(p + 1)))),
      v128.storeAny(0, get(out), v128.shl32(unzigzag4(z), get(shift))),
      ...from.slice(0, n).map((local) => plus(local, 4)),
      plus(out, 16),
    );
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...set(from[0]!, get(at)),
    ...[1, 2, 3].flatMap((p) => set(from[p]!, i32.add(get(from[p - 1]!), get(rows)))),
    ...[1, 2, 3, 4].flatMap((n) => when(i32.eq(get(count), i32.of(n)), loopOf(n))),
  ];
  return code;
}

/** Bytes of a vector that begins with `lanes` zeros, then has the first ones of the second operand. */
const behindZeros = (count: number): number[] =>
  Array.from({ length: 16 }, (_, i) => (i < count * 4 ? i : i - count * 4 + 16));
/** The last `count` lanes over and over. */
const lastLanes = (count: number): number[] => Array.from({ length: 16 }, (_, i) => 16 - count * 4 + (i % (count * 4)));

/** `sum(out, rows, lag)`: adds to each row the one `lag` (1 to 4) before. */
export function sum(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32']);
  const [out, rows, lag] = [0, 1, 2];
  const end = code.local('i32');
  const [x, carry, zero] = [code.local('v128'), code.local('v128'), code.local('v128')];
  const shifted = (count: number): Code =>
    set(x, v128.add32(get(x), v128.shuffle(behindZeros(count), get(zero), get(x))));
  const loopOf = (count: number): Code =>
    whilst(
      i32.ltU(get(out), get(end)),
      set(x, v128.loadAny(0, get(out))),
      ...(count === 1 ? [shifted(1), shifted(2)] : count === 2 ? [shifted(2)] : []),
      set(x, v128.add32(get(x), get(carry))),
      v128.storeAny(0, get(out), get(x)),
      set(carry, v128.shuffle(lastLanes(count), get(x), get(x))),
      plus(out, 16),
    );
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...[1, 2, 4].flatMap((count) => when(i32.eq(get(lag), i32.of(count)), loopOf(count))),
    ...when(
      i32.eq(get(lag), i32.of(3)),
      plus(out, 12),
      whilst(
        i32.ltU(get(out), get(end)),
        i32.store(0, get(out), i32.add(i32.load(0, get(out)), i32.load(0, i32.sub(get(out), i32.of(12))))),
        plus(out, 4),
      ),
    ),
  ];
  return code;
}

/** Rows of more bits are read one by one: four fit into 64 bits, behind the 4 that may be before them. */
const FEW_BITS = 15;

/** `packed(at, rows, bits, minimum, shift, out)`: `bit-packed`. Rows beyond the last are written, and nobody reads them. */
export function packed(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [at, rows, bits, minimum, shift, out] = [0, 1, 2, 3, 4, 5];
  const [end, bit, mask] = [code.local('i32'), code.local('i32'), code.local('i32')];
  const [word, wide] = [code.local('i64'), code.local('i64')];
  const store = (place: number, value: Code): Code =>
    i32.store(place * 4, get(out), i32.add(get(minimum), i32.shl(i32.and(value, get(mask)), get(shift))));
  /** Four rows of which the first begins `bit` bits behind `at`, a multiple of 4. */
  const four = (first: number): readonly Code[] => [
    set(
      word,
      i64.shrU(
        i64.loadAny(0, i32.add(get(at), i32.shrU(get(bit), i32.of(3)))),
        i64.extendU(i32.and(get(bit), i32.of(7))),
      ),
    ),
    store(first, i32.wrap(get(word))),
    ...[1, 2, 3].flatMap((place) => [
      set(word, i64.shrU(get(word), get(wide))),
      store(first + place, i32.wrap(get(word))),
    ]),
    plus(bit, i32.shl(get(bits), i32.of(2))),
  ];
  const one = (place: number): readonly Code[] => [
    store(
      place,
      i32.shrU(i32.loadAny(0, i32.add(get(at), i32.shrU(get(bit), i32.of(3)))), i32.and(get(bit), i32.of(7))),
    ),
    plus(bit, get(bits)),
  ];
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...set(mask, i32.sub(i32.shl(i32.of(1), get(bits)), i32.of(1))),
    ...set(wide, i64.extendU(get(bits))),
    ...either(
      i32.leU(get(bits), i32.of(FEW_BITS)),
      [whilst(i32.ltU(get(out), get(end)), ...four(0), ...four(4), plus(out, 32))],
      // 24 bits and 7 before them are in a word
      [whilst(i32.ltU(get(out), get(end)), ...one(0), ...one(1), ...one(2), ...one(3), plus(out, 16))],
    ),
  ];
  return code;
}

/** `fill(out, rows, value)`. */
export function fill(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32']);
  const [out, rows, value] = [0, 1, 2];
  const end = code.local('i32');
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...whilst(i32.ltU(get(out), get(end)), v128.storeAny(0, get(out), v128.splat32(get(value))), plus(out, 16)),
  ];
  return code;
}

/** `copy(at, rows, out)`. */
export function copy(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32']);
  const [at, rows, out] = [0, 1, 2];
  const end = code.local('i32');
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...whilst(
      i32.ltU(get(out), get(end)),
      v128.storeAny(0, get(out), v128.loadAny(0, get(at))),
      plus(at, 16),
      plus(out, 16),
    ),
  ];
  return code;
}

/** `add(out, other, rows)`: a row of the other is added to each. */
export function add(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32']);
  const [out, other, rows] = [0, 1, 2];
  const end = code.local('i32');
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...whilst(
      i32.ltU(get(out), get(end)),
      v128.storeAny(0, get(out), v128.add32(v128.loadAny(0, get(out)), v128.loadAny(0, get(other)))),
      plus(out, 16),
      plus(other, 16),
    ),
  ];
  return code;
}

/** `split(out, offsets, rows)`: pages become addresses, `page-split`. */
export function split(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32']);
  const [out, offsets, rows] = [0, 1, 2];
  const end = code.local('i32');
  const page = v128.shl32(v128.loadAny(0, get(out)), i32.of(12));
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...whilst(
      i32.ltU(get(out), get(end)),
      v128.storeAny(0, get(out), v128.or(page, v128.and(v128.loadAny(0, get(offsets)), v128.splat32(i32.of(0xfff))))),
      plus(out, 16),
      plus(offsets, 16),
    ),
  ];
  return code;
}

/** `dictionary(at, rows, wide, table, count, out)`: 1, or 0 where an index is not in the table; the table has room for 2^16. */
export function dictionary(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [at, rows, wide, table, count, out] = [0, 1, 2, 3, 4, 5];
  const [end, index, beyond] = [code.local('i32'), code.local('i32'), code.local('i32')];
  const high = i32.shl(i32.load8U(0, i32.add(get(at), get(rows))), i32.of(8));
  const loopOf = (found: Code): Code =>
    whilst(
      i32.ltU(get(out), get(end)),
      set(index, found),
      set(beyond, i32.or(get(beyond), i32.geU(get(index), get(count)))),
      i32.store(0, get(out), i32.load(0, i32.add(get(table), i32.shl(get(index), i32.of(2))))),
      plus(at, 1),
      plus(out, 4),
    );
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...either(get(wide), [loopOf(i32.or(i32.load8U(0, get(at)), high))], [loopOf(i32.load8U(0, get(at)))]),
    ...i32.eqz(get(beyond)),
  ];
  return code;
}

/** Reads a number into a local, of one byte or by `varint`, and moves on; leaves the function with 0 where there is none. */
function read(into: number, at: number, end: number, wide: number, varintAt: number): Code {
  return either(
    i32.ltU(get(at), get(end)),
    [
      set(into, i32.load8U(0, get(at))),
      either(
        i32.ltU(get(into), i32.of(0x80)),
        [plus(at, 1)],
        [
          set(wide, [...get(at), ...get(end), 0x10, varintAt]),
          when(i64.eqz(get(wide)), i32.of(0), leave),
          set(into, i32.wrap(get(wide))),
          set(at, i32.wrap(i64.shrU(get(wide), i64.of(32n)))),
        ],
      ),
    ],
    [i32.of(0), leave],
  );
}

/** `runs(at, end, count, rows, values, out)`: `runs`, behind their number; the position behind, or 0 where they are damaged. */
export function runs(varintAt: number): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [at, end, count, rows, values, out] = [0, 1, 2, 3, 4, 5];
  const [value, to, last, outEnd] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
  const [wide, all] = [code.local('i64'), code.local('v128')];
  code.body = [
    ...set(outEnd, rowsEnd(out, rows)),
    ...set(last, rowsEnd(values, count)),
    ...set(to, get(values)),
    ...whilst(
      i32.ltU(get(to), get(last)),
      read(value, at, end, wide, varintAt),
      i32.store(0, get(to), unzigzag(value)),
      plus(to, 4),
    ),
    ...whilst(
      i32.ltU(get(values), get(last)),
      read(value, at, end, wide, varintAt),
      // a length that does not fit
      when(i32.gtU(get(value), i32.shrU(i32.sub(get(outEnd), get(out)), i32.of(2))), i32.of(0), leave),
      set(to, rowsEnd(out, value)),
      set(all, v128.splat32(i32.load(0, get(values)))),
      plus(values, 4),
      // what is written beyond a run, the next one writes over
      whilst(
        i32.ltU(get(out), get(to)),
        either(
          i32.leU(i32.add(get(out), i32.of(16)), get(outEnd)),
          [v128.storeAny(0, get(out), get(all)), plus(out, 16)],
          [i32.store(0, get(out), v128.lane32(0, get(all))), plus(out, 4)],
        ),
      ),
      set(out, get(to)),
    ),
    ...when(i32.ne(get(out), get(outEnd)), i32.of(0), leave),
    ...get(at),
  ];
  return code;
}
