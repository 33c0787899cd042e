import { MAX_KINDS, kindRows, modeMasks } from './kinds.ts';
import type { KindRows } from './kinds.ts';
import { referenceRows } from './prediction.ts';
import type { ColumnAccess, FollowPrediction, KindPrediction, Prediction } from './prediction.ts';
import { SLOT, slotOf, successorSlots } from './successors.ts';
import type { SuccessorTable } from './successors.ts';

/**
 * Differences to a prediction, in the order in which they are written: what `addPrediction` turns back. Each loop over rows is a
 * function of its own: it is optimised once, whatever is done around it.
 */
export function residuals(
  prediction: Prediction,
  values: Int32Array,
  stream: number,
  access: ColumnAccess,
): Int32Array {
  const out = new Int32Array(values.length);
  if (prediction.type === 'row' || prediction.type === 'last') {
    subtract(values, referenceRows(prediction, values.length, stream, access), out);
    return out;
  }
  const rows = kindRows(access.column(stream, prediction.property), prediction.kinds);
  subtractKinds(prediction, values, rows, out);
  if (prediction.type === 'follow') {
    prediction.kinds.forEach(({ mode }, kind) => {
      if (mode === 3) subtractFollowed(prediction, kind, values, rows, { stream, access }, out);
    });
  }
  return out;
}

function subtract(values: Int32Array, references: Int32Array, out: Int32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = (values[i]! - references[i]!) | 0;
}

/** Grouped by kind, each row less what its kind's mode takes of the row before and of the last row of its kind. */
function subtractKinds(
  { kinds }: KindPrediction | FollowPrediction,
  values: Int32Array,
  { kindOf, starts }: KindRows,
  out: Int32Array,
): void {
  const { before, last } = modeMasks(kinds);
  subtractByKind(values, kindOf, before, last, starts.slice(), out);
}

function subtractByKind(
  values: Int32Array,
  kindOf: Uint8Array,
  before: Int32Array,
  last: Int32Array,
  at: Int32Array,
  out: Int32Array,
): void {
  const lastOfKind = new Int32Array(MAX_KINDS);
  let rowBefore = 0;
  for (let i = 0; i < values.length; i++) {
    const kind = kindOf[i]!;
    const value = values[i]!;
    out[at[kind]!++] = (value - (rowBefore & before[kind]!) - (lastOfKind[kind]! & last[kind]!)) | 0;
    lastOfKind[kind] = value;
    rowBefore = value;
  }
}

/** The rows of one kind, each less what came behind the one before it in the other stream's column. */
function subtractFollowed(
  { kinds, stream: other, other: column, otherKind }: FollowPrediction,
  kind: number,
  values: Int32Array,
  { kindOf, starts }: KindRows,
  { stream, access }: { readonly stream: number; readonly access: ColumnAccess },
  out: Int32Array,
): void {
  const sequence = access.column(other, column);
  const followed = { sequence, kindsOfRows: access.column(other, otherKind), kind: kinds[kind]!.value };
  const newest = access.newestBefore(stream, other);
  const table = emptyTable(sequence.length);
  subtractSuccessors(values, kindOf, kind, newest, followed, table, out.subarray(starts[kind], starts[kind + 1]));
}

let room = new Int32Array(0);
let mark = 0;

/** An empty table of successors in room that is used again and again: what other tables left there has other marks. */
function emptyTable(values: number): SuccessorTable {
  const words = successorSlots(values) * SLOT;
  if (room.length < words || mark === 2 ** 30) {
    room = new Int32Array(Math.max(words, room.length));
    mark = 0;
  }
  mark++;
  return { words: room.subarray(0, words), mark };
}

interface Followed {
  readonly sequence: Int32Array;
  readonly kindsOfRows: Int32Array;
  readonly kind: number;
}

function subtractSuccessors(
  values: Int32Array,
  kindOf: Uint8Array,
  kind: number,
  newest: Int32Array,
  { sequence, kindsOfRows, kind: followed }: Followed,
  { words, mark }: SuccessorTable,
  out: Int32Array,
): void {
  let seen = 0;
  let any = false;
  let last = 0;
  let at = 0;
  let before = 0;
  for (let row = 0; row < values.length; row++) {
    if (kindOf[row] !== kind) continue;
    for (const end = newest[row]! + 1; seen < end; seen++) {
      if (kindsOfRows[seen] !== followed) continue;
      if (any) {
        const slot = slotOf(words, mark, last);
        words[slot] = mark;
        words[slot + 1] = last;
        words[slot + 2] = sequence[seen]!;
      }
      any = true;
      last = sequence[seen]!;
    }
    const slot = slotOf(words, mark, before);
    const expected = words[slot] === mark && words[slot + 1] === before ? words[slot + 2]! : before;
    before = values[row]!;
    out[at++] = (before - expected) | 0;
  }
}
