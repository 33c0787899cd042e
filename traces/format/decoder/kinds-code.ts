import { FunctionCode, call, either, get, i32, jump, jumpIf, leave, loop, set, when } from '../../wasm/wasm-code.ts';
import type { Code } from '../../wasm/wasm-code.ts';
import { HASH_FACTOR, MOST_PROBES, SLOT } from '../successors.ts';
import { plus, rowsEnd, whilst } from './integers-code.ts';

/** Columns that are predicted by kind (`prediction.ts`, `followed.ts`): their differences are grouped by it. */

/** What loops are told of a kind, and remember of it, by word. */
export const KIND = {
  value: 0,
  /** All bits or none: what it takes of the row before, and of its own last row. */
  before: 1,
  last: 2,
  /** Of a kind that follows: address of its table of successors, their number less 1, rows that were entered, and the last of them. */
  slots: 3,
  mask: 4,
  seen: 5,
  any: 6,
  entered: 7,
  words: 8,
} as const;
/** Where its next difference is, and its last value. */
export const PLACE_WORDS = 2;

const of = (word: keyof typeof KIND, entry: number): Code => i32.load(KIND[word] * 4, get(entry));
const remember = (word: keyof typeof KIND, entry: number, value: Code): Code =>
  i32.store(KIND[word] * 4, get(entry), value);

const element = (base: number, index: number, words: number): Code =>
  i32.add(get(base), i32.mul(get(index), i32.of(words * 4)));

/**
 * `grouped(column, rows, kindOf, table, kinds, count, places, differences)`: which kind each row is of, a byte a row, and where the
 * differences of each begin; 0 where a row is of no kind. `table` has the kind of each value below 256, or 255.
 */
export function grouped(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [column, rows, kindOf, table, kinds, count, places, start] = [0, 1, 2, 3, 4, 5, 6, 7];
  const local = (): number => code.local('i32');
  const [end, value, kind, place] = [local(), local(), local(), local()];
  code.body = [
    set(end, rowsEnd(column, rows)),
    whilst(
      i32.ltU(get(column), get(end)),
      set(value, i32.load(0, get(column))),
      set(kind, i32.of(255)),
      when(i32.ltU(get(value), i32.of(256)), set(kind, i32.load8U(0, i32.add(get(table), get(value))))),
      when(
        i32.eq(get(kind), i32.of(255)),
        set(kind, i32.of(0)),
        loop(
          when(i32.eq(get(kind), get(count)), i32.of(0), leave),
          when(i32.ne(i32.load(0, element(kinds, kind, KIND.words)), get(value)), plus(kind, 1), jump(1)),
        ),
      ),
      i32.store8(0, get(kindOf), get(kind)),
      set(place, element(places, kind, PLACE_WORDS)),
      i32.store(0, get(place), i32.add(i32.load(0, get(place)), i32.of(4))),
      plus(kindOf, 1),
      plus(column, 4),
    ),
    set(kind, i32.of(0)),
    whilst(
      i32.ltU(get(kind), get(count)),
      set(place, element(places, kind, PLACE_WORDS)),
      set(value, i32.load(0, get(place))),
      i32.store(0, get(place), get(start)),
      plus(start, get(value)),
      plus(kind, 1),
    ),
    i32.of(1),
  ];
  return code;
}

/** `slot(slots, mask, value)`: address of a value's slot in a table of successors, as `slotOf` of `followed.ts`. */
export function slot(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32'], 'i32');
  const [slots, mask, value] = [0, 1, 2];
  const [at, probes] = [code.local('i32'), code.local('i32')];
  code.body = [
    set(at, i32.mul(i32.xor(get(value), i32.shrU(get(value), i32.of(12))), i32.of(HASH_FACTOR))),
    set(at, i32.and(i32.xor(get(at), i32.shrU(get(at), i32.of(15))), get(mask))),
    set(at, element(slots, at, SLOT)),
    set(probes, i32.of(MOST_PROBES - 1)),
    loop(
      when(i32.or(i32.eqz(i32.load(0, get(at))), i32.eq(i32.load(4, get(at)), get(value))), get(at), leave),
      plus(at, SLOT * 4),
      when(i32.gtU(get(at), element(slots, mask, SLOT)), set(at, get(slots))),
      plus(probes, -1),
      jumpIf(0, get(probes)),
    ),
    get(at),
  ];
  return code;
}

/**
 * `kinds(kindOf, rows, kinds, places, newest, sequence, otherKinds, out)`: differences become values, as `addKinds` of
 * `prediction.ts`, or `addFollowed`: the last three inputs are for kinds that follow. `newest` names rows of `sequence`, of which
 * `otherKinds` tells the kinds.
 */
export function kinds(slotAt: number): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [kindOf, rows, list, places, newest, sequence, otherKinds, out] = [0, 1, 2, 3, 4, 5, 6, 7];
  const local = (): number => code.local('i32');
  const [end, value, kind, at, place, entry, last] = [local(), local(), local(), local(), local(), local(), local()];
  const [slotOf, seen, known, next] = [local(), local(), local(), local()];
  const slotOfValue = (of_: Code): Code => set(slotOf, call(slotAt, of('slots', entry), of('mask', entry), of_));
  /** Enters rows of the other column that this kind is the kind of, as far as they are known here. */
  const enter: readonly Code[] = [
    set(seen, of('seen', entry)),
    set(known, i32.add(i32.load(0, get(newest)), i32.of(1))),
    whilst(
      i32.ltU(get(seen), get(known)),
      when(
        i32.eq(i32.load(0, element(otherKinds, seen, 1)), of('value', entry)),
        set(next, i32.load(0, element(sequence, seen, 1))),
        when(
          of('any', entry),
          slotOfValue(of('entered', entry)),
          i32.store(0, get(slotOf), i32.of(1)),
          i32.store(4, get(slotOf), of('entered', entry)),
          i32.store(8, get(slotOf), get(next)),
        ),
        remember('any', entry, i32.of(1)),
        remember('entered', entry, get(next)),
      ),
      plus(seen, 1),
    ),
    remember('seen', entry, get(seen)),
  ];
  code.body = [
    set(end, i32.add(get(kindOf), get(rows))),
    whilst(
      i32.ltU(get(kindOf), get(end)),
      set(kind, i32.load8U(0, get(kindOf))),
      set(place, element(places, kind, PLACE_WORDS)),
      set(entry, element(list, kind, KIND.words)),
      set(at, i32.load(0, get(place))),
      i32.store(0, get(place), i32.add(get(at), i32.of(4))),
      set(last, i32.load(4, get(place))),
      either(
        of('slots', entry),
        [
          ...enter,
          set(value, get(last)),
          slotOfValue(get(last)),
          when(
            i32.and(i32.load(0, get(slotOf)), i32.eq(i32.load(4, get(slotOf)), get(last))),
            set(value, i32.load(8, get(slotOf))),
          ),
        ],
        [set(value, i32.add(i32.and(get(value), of('before', entry)), i32.and(get(last), of('last', entry))))],
      ),
      set(value, i32.add(get(value), i32.load(0, get(at)))),
      i32.store(4, get(place), get(value)),
      i32.store(0, get(out), get(value)),
      plus(out, 4),
      plus(newest, 4),
      plus(kindOf, 1),
    ),
  ];
  return code;
}
