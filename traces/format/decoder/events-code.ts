import { FunctionCode, call, f64, get, i32, jumpIf, leave, loop, set, v128, when } from '../../wasm/wasm-code.ts';
import type { Code } from '../../wasm/wasm-code.ts';
import { plus, rowsEnd, whilst } from './integers-code.ts';

/** The loops over the events of a segment: their streams, their times, and what was newest in another stream. */

/** Streams that a segment may name; contexts of times are pairs of them (`time-column.ts`). */
export const MOST_STREAMS = 32;

/**
 * `narrow(ids, events, out, counts)`: stream numbers as bytes, and how many there are of each; 0 where one is not below 32.
 * What is counted is added to.
 */
export function narrow(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32'], 'i32');
  const [ids, events, out, counts] = [0, 1, 2, 3];
  const [end, id, from, bytes] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
  const all = code.local('v128');
  const count = i32.add(get(counts), i32.shl(get(id), i32.of(2)));
  code.body = [
    ...set(end, rowsEnd(ids, events)),
    ...whilst(
      i32.ltU(get(ids), get(end)),
      set(id, i32.load(0, get(ids))),
      when(i32.geU(get(id), i32.of(MOST_STREAMS)), i32.of(0), leave),
      set(from, get(ids)),
      set(all, v128.splat32(get(id))),
      set(bytes, i32.mul(get(id), i32.of(0x01010101))),
      whilst(
        i32.leU(i32.add(get(ids), i32.of(16)), get(end)),
        jumpIf(1, i32.eqz(v128.all32(v128.equal32(v128.loadAny(0, get(ids)), get(all))))),
        i32.storeAny(0, get(out), get(bytes)),
        plus(ids, 16),
        plus(out, 4),
      ),
      whilst(
        i32.ltU(get(ids), get(end)),
        jumpIf(1, i32.ne(i32.load(0, get(ids)), get(id))),
        i32.store8(0, get(out), get(id)),
        plus(ids, 4),
        plus(out, 1),
      ),
      i32.store(0, count, i32.add(i32.load(0, count), i32.shrU(i32.sub(get(ids), get(from)), i32.of(2)))),
    ),
    ...i32.of(1),
  ];
  return code;
}

/** `runEnd(at, end)`: where the bytes end that are as the one at `at`. */
export function runEnd(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32'], 'i32');
  const [at, end] = [0, 1];
  const [byte, all] = [code.local('i32'), code.local('v128')];
  code.body = [
    ...set(byte, i32.load8U(0, get(at))),
    ...set(all, v128.splat8(get(byte))),
    ...whilst(
      i32.leU(i32.add(get(at), i32.of(16)), get(end)),
      jumpIf(1, i32.eqz(v128.all8(v128.equal8(v128.loadAny(0, get(at)), get(all))))),
      plus(at, 16),
    ),
    ...whilst(i32.ltU(get(at), get(end)), jumpIf(1, i32.ne(i32.load8U(0, get(at)), get(byte))), plus(at, 1)),
    ...get(at),
  ];
  return code;
}

/** `newest(stream, events, own, other, out)`: `newestBefore` of `layout.ts`. */
export function newest(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [at, events, own, other, out] = [0, 1, 2, 3, 4];
  const [end, id, seen] = [code.local('i32'), code.local('i32'), code.local('i32')];
  code.body = [
    ...set(end, i32.add(get(at), get(events))),
    ...set(seen, i32.of(-1)),
    ...whilst(
      i32.ltU(get(at), get(end)),
      set(id, i32.load8U(0, get(at))),
      plus(seen, i32.eq(get(id), get(other))),
      when(i32.eq(get(id), get(own)), i32.store(0, get(out), get(seen)), plus(out, 4)),
      plus(at, 1),
    ),
  ];
  return code;
}

/** `last(out, column, newest, rows)`: adds the row of the column that `newest` names; none where it is -1. */
export function last(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32']);
  const [out, column, newestRow, rows] = [0, 1, 2, 3];
  const [end, row] = [code.local('i32'), code.local('i32')];
  code.body = [
    ...set(end, rowsEnd(out, rows)),
    ...whilst(
      i32.ltU(get(out), get(end)),
      set(row, i32.load(0, get(newestRow))),
      when(
        i32.eqz(i32.shrU(get(row), i32.of(31))),
        i32.store(
          0,
          get(out),
          i32.add(i32.load(0, get(out)), i32.load(0, i32.add(get(column), i32.shl(get(row), i32.of(2))))),
        ),
      ),
      plus(newestRow, 4),
      plus(out, 4),
    ),
  ];
  return code;
}

/** Address of a context's word: of the event before, if pairs are told apart, and of the event. */
const contextOf = (base: number, wide: number, before: number, now: number): Code =>
  i32.add(get(base), i32.shl(i32.add(i32.mul(get(before), get(wide)), get(now)), i32.of(2)));

/** `starts(stream, end, wide, counts)`: how many events of each context there are, from the second event on, in bytes of doubles. */
export function starts(runEndAt: number): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32']);
  const [at, end, wide, counts] = [0, 1, 2, 3];
  const [before, now, next, place] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
  const more = (bytes: Code): readonly Code[] => [
    i32.store(0, get(place), i32.add(i32.load(0, get(place)), i32.shl(bytes, i32.of(3)))),
  ];
  code.body = [
    ...set(before, i32.load8U(0, get(at))),
    ...plus(at, 1),
    ...whilst(
      i32.ltU(get(at), get(end)),
      set(now, i32.load8U(0, get(at))),
      set(place, contextOf(counts, wide, before, now)),
      ...more(i32.of(1)),
      plus(at, 1),
      set(before, get(now)),
      jumpIf(1, i32.geU(get(at), get(end))),
      // most runs are short, or long
      when(
        i32.eq(i32.load8U(0, get(at)), get(now)),
        set(next, call(runEndAt, get(at), get(end))),
        set(place, contextOf(counts, wide, now, now)),
        ...more(i32.sub(get(next), get(at))),
        set(at, get(next)),
      ),
    ),
  ];
  return code;
}

/** `times(stream, end, wide, places, unit, first, out)`: each time is the one before and the next difference of its context, in units. */
export function times(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'f64', 'f64', 'i32']);
  const [at, end, wide, places, unit, time, out] = [0, 1, 2, 3, 4, 5, 6];
  const local = (): number => code.local('i32');
  const [before, now, place, from] = [local(), local(), local(), local()];
  const step = (bytes: Code): readonly Code[] => [
    set(time, f64.add(get(time), f64.mul(bytes, get(unit)))),
    f64.store(0, get(out), get(time)),
    plus(out, 8),
  ];
  code.body = [
    ...f64.store(0, get(out), get(time)),
    ...plus(out, 8),
    ...set(before, i32.load8U(0, get(at))),
    ...plus(at, 1),
    ...whilst(
      i32.ltU(get(at), get(end)),
      set(now, i32.load8U(0, get(at))),
      set(place, contextOf(places, wide, before, now)),
      set(from, i32.load(0, get(place))),
      i32.store(0, get(place), i32.add(get(from), i32.of(8))),
      ...step(f64.load(0, get(from))),
      plus(at, 1),
      set(before, get(now)),
      jumpIf(1, i32.geU(get(at), get(end))),
      when(
        i32.eq(i32.load8U(0, get(at)), get(now)),
        set(place, contextOf(places, wide, now, now)),
        set(from, i32.load(0, get(place))),
        loop(
          ...step(f64.load(0, get(from))),
          plus(from, 8),
          plus(at, 1),
          jumpIf(0, i32.and(i32.ltU(get(at), get(end)), i32.eq(i32.load8U(0, get(at)), get(now)))),
        ),
        i32.store(0, get(place), get(from)),
      ),
    ),
  ];
  return code;
}
