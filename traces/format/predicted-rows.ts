import type { ColumnPlace } from './column.ts';
import type { ColumnMachine } from './decoder/column-machine.ts';
import { KIND, PLACE_WORDS } from './decoder/kinds-code.ts';
import { MAX_KINDS, modeMasks } from './kinds.ts';
import type { KindMode } from './kinds.ts';
import type { Prediction } from './prediction.ts';
import { SLOT, successorSlots } from './successors.ts';

/** Turns differences at an address of a machine's memory into values, in place; false where they can't be. */
export type RowsAt = (at: number) => boolean;

/**
 * As `addPrediction`, which defines it, by a machine: what it refers to is looked up at once, so that the machine may decode that
 * first. Undefined for predictions that machines don't know.
 */
export function predictedAt(
  machine: ColumnMachine,
  prediction: Prediction,
  rows: number,
  { stream, access }: ColumnPlace,
): RowsAt | undefined {
  const { calls } = machine;
  switch (prediction.type) {
    case 'row': {
      const other = access.column(stream, prediction.property);
      return (at) => {
        calls.add(at, machine.addressOf(other, 'first'), rows);
        return true;
      };
    }
    case 'last': {
      const column = access.column(prediction.stream, prediction.property);
      const newest = access.newestBefore(stream, prediction.stream);
      return (at) => {
        calls.last(at, machine.addressOf(column, 'first'), machine.addressOf(newest, 'second'), rows);
        return true;
      };
    }
    case 'kind': {
      const column = access.column(stream, prediction.property);
      return (at) => addKinds(machine, prediction.kinds, column, at);
    }
    case 'follow': {
      const column = access.column(stream, prediction.property);
      const sequence = access.column(prediction.stream, prediction.other);
      const otherKinds = access.column(prediction.stream, prediction.otherKind);
      const newest = access.newestBefore(stream, prediction.stream);
      const followed = prediction.kinds.filter(({ mode }) => mode === 3).length;
      const bytes = followed * successorSlots(sequence.length) * SLOT * 4;
      if (bytes > machine.roomOf('successors')) return undefined;
      return (at) => addKinds(machine, prediction.kinds, column, at, { sequence, otherKinds, newest });
    }
  }
}

/** What kinds follow: the other column, its kinds, and its newest row before each. */
interface Followed {
  readonly sequence: Int32Array;
  readonly otherKinds: Int32Array;
  readonly newest: Int32Array;
}

function addKinds(
  machine: ColumnMachine,
  kinds: readonly KindMode[],
  column: Int32Array,
  at: number,
  followed?: Followed,
): boolean {
  const { ints, calls } = machine;
  const rows = column.length;
  // the kinds, their places and the table of kinds by small value lie one behind the other
  const list = machine.at.kinds;
  const places = list + MAX_KINDS * KIND.words * 4;
  const table = places + MAX_KINDS * PLACE_WORDS * 4;
  const { before, last } = modeMasks(kinds);
  const bytes = new Uint8Array(256).fill(255);
  ints.fill(0, machine.word(list), machine.word(table));
  const mask = followed === undefined ? 0 : successorSlots(followed.sequence.length) - 1;
  let slots = machine.at.successors;
  kinds.forEach(({ value, mode }, kind) => {
    const entry = machine.word(list) + kind * KIND.words;
    ints[entry + KIND.value] = value;
    ints[entry + KIND.before] = before[kind]!;
    ints[entry + KIND.last] = last[kind]!;
    if (mode === 3) {
      ints[entry + KIND.slots] = slots;
      ints[entry + KIND.mask] = mask;
      slots += (mask + 1) * SLOT * 4;
    }
    if (value >= 0 && value < 256) bytes[value] = kind;
  });
  ints.set(new Int32Array(bytes.buffer), machine.word(table));
  const { second: differences, marks: kindOf, successors } = machine.at;
  calls.copy(at, rows, differences);
  const from = machine.addressOf(column, 'first');
  if (calls.grouped(from, rows, kindOf, table, list, kinds.length, places, differences) === 0) return false;
  let [newest, sequence, otherKinds] = [0, 0, 0];
  if (followed !== undefined) {
    ints.fill(0, machine.word(successors), machine.word(slots));
    newest = machine.addressOf(followed.newest, 'doubles');
    sequence = machine.addressOf(followed.sequence, 'first');
    otherKinds = machine.addressOf(followed.otherKinds, 'table');
  }
  calls.kinds(kindOf, rows, list, places, newest, sequence, otherKinds, at);
  return true;
}
