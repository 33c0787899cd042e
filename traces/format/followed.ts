import { kindRows, modeMasks } from './kinds.ts';
import type { ColumnAccess, FollowPrediction } from './prediction.ts';
import { SLOT, slotOf, successorSlots } from './successors.ts';

/** The values of one kind in another stream's column, entered up to a row. */
interface Followed {
  /** Enters all rows before `end`; then the successor of `value`, or `value` itself. */
  readonly after: (value: number, end: number) => number;
}

function follow(sequence: Int32Array, kindsOfRows: Int32Array, kind: number): Followed {
  const words = new Int32Array(successorSlots(sequence.length) * SLOT);
  let seen = 0;
  let any = false;
  let before = 0;
  return {
    after(value, end) {
      for (; seen < end; seen++) {
        if (kindsOfRows[seen] !== kind) continue;
        const next = sequence[seen]!;
        if (any) {
          const at = slotOf(words, 1, before);
          words[at] = 1;
          words[at + 1] = before;
          words[at + 2] = next;
        }
        any = true;
        before = next;
      }
      const at = slotOf(words, 1, value);
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
