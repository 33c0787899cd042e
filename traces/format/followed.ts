import { kindRows, modeMasks } from './kinds.ts';
import type { ColumnAccess, FollowPrediction } from './prediction.ts';

/** Slots that are looked at for a value; behind them one is taken over, so that chosen values can't make a table slow. */
const MOST_PROBES = 16;
/** Words of a slot: used or not, value, successor. */
const SLOT = 3;

/**
 * What comes after what: for each value, the value behind its last occurrence. Open addressing, made for `rows` values; slots are
 * returned as the place of their first word.
 */
function successorTable(rows: number): { readonly words: Int32Array; readonly slotOf: (value: number) => number } {
  const slots = 2 ** Math.max(4, 33 - Math.clz32(rows));
  const mask = slots - 1;
  const words = new Int32Array(slots * SLOT);
  const slotOf = (value: number): number => {
    let hash = Math.imul(value ^ (value >>> 12), 0x9e3779b1);
    hash ^= hash >>> 15;
    let at = (hash & mask) * SLOT;
    for (let probes = 1; probes < MOST_PROBES; probes++) {
      if (words[at] === 0 || words[at + 1] === value) return at;
      at += SLOT;
      if (at === words.length) at = 0;
    }
    return at;
  };
  return { words, slotOf };
}

/** The values of one kind in another stream's column, entered up to a row. */
interface Followed {
  /** Enters all rows before `end`; then the successor of `value`, or `value` itself. */
  readonly after: (value: number, end: number) => number;
}

function follow(sequence: Int32Array, kindsOfRows: Int32Array, kind: number): Followed {
  const { words, slotOf } = successorTable(sequence.length);
  let seen = 0;
  let any = false;
  let before = 0;
  return {
    after(value, end) {
      for (; seen < end; seen++) {
        if (kindsOfRows[seen] !== kind) continue;
        const next = sequence[seen]!;
        if (any) {
          const at = slotOf(before);
          words[at] = 1;
          words[at + 1] = before;
          words[at + 2] = next;
        }
        any = true;
        before = next;
      }
      const at = slotOf(value);
      return words[at] === 1 && words[at + 1] === value ? words[at + 2]! : value;
    },
  };
}

/** What is expected of the next row of a kind, given the row before: the rows are asked for in order, each once. */
function expectations(prediction: FollowPrediction, stream: number, access: ColumnAccess) {
  const { property, kinds, stream: other, otherKind, other: column } = prediction;
  const sequence = access.column(other, column);
  const kindsOfRows = access.column(other, otherKind);
  const newest = access.newestBefore(stream, other);
  const followed = kinds.map(({ value, mode }) => (mode === 3 ? follow(sequence, kindsOfRows, value) : undefined));
  const { before, last } = modeMasks(kinds);
  const expect = (row: number, kind: number, rowBefore: number, lastOfKind: number): number => {
    const one = followed[kind];
    if (one !== undefined) return one.after(lastOfKind, newest[row]! + 1);
    return (rowBefore & before[kind]!) + (lastOfKind & last[kind]!);
  };
  return { ...kindRows(access.column(stream, property), kinds), expect };
}

/** Differences to what was expected, grouped by kind. */
export function followedResiduals(
  prediction: FollowPrediction,
  values: Int32Array,
  stream: number,
  access: ColumnAccess,
): Int32Array {
  const { kindOf, starts, expect } = expectations(prediction, stream, access);
  const at = starts.slice();
  const lastOfKind = new Int32Array(starts.length);
  const out = new Int32Array(values.length);
  let rowBefore = 0;
  for (let row = 0; row < values.length; row++) {
    const kind = kindOf[row]!;
    const value = values[row]!;
    out[at[kind]!++] = (value - expect(row, kind, rowBefore, lastOfKind[kind]!)) | 0;
    lastOfKind[kind] = value;
    rowBefore = value;
  }
  return out;
}

/** Turns differences (in `out`, grouped by kind) into values, in place. */
export function addFollowed(prediction: FollowPrediction, out: Int32Array, stream: number, access: ColumnAccess): void {
  const { kindOf, starts, expect } = expectations(prediction, stream, access);
  const at = starts.slice();
  const lastOfKind = new Int32Array(starts.length);
  const differences = out.slice();
  let value = 0;
  for (let row = 0; row < out.length; row++) {
    const kind = kindOf[row]!;
    value = (differences[at[kind]!++]! + expect(row, kind, value, lastOfKind[kind]!)) | 0;
    lastOfKind[kind] = value;
    out[row] = value;
  }
}
