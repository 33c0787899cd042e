import type { ColumnPlace } from './column.ts';
import type { ColumnMachine } from './decoder/column-machine.ts';
import { KIND_WORDS } from './decoder/events-code.ts';
import { modeMasks } from './kinds.ts';
import type { KindMode } from './kinds.ts';
import type { Prediction } from './prediction.ts';

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
    case 'follow':
      return undefined;
  }
}

/** Words of the table of kinds by small value, which lies behind the kinds and their places. */
const MOST_KINDS = 8;

function addKinds(machine: ColumnMachine, kinds: readonly KindMode[], column: Int32Array, at: number): boolean {
  const { ints, calls } = machine;
  const rows = column.length;
  const list = machine.at.kinds;
  const places = list + MOST_KINDS * KIND_WORDS * 4;
  const table = places + MOST_KINDS * 8;
  const { before, last } = modeMasks(kinds);
  const bytes = new Uint8Array(256).fill(255);
  ints.fill(0, machine.word(places), machine.word(table));
  kinds.forEach(({ value }, kind) => {
    ints.set([value, before[kind]!, last[kind]!], machine.word(list) + kind * KIND_WORDS);
    if (value >= 0 && value < 256) bytes[value] = kind;
  });
  ints.set(new Int32Array(bytes.buffer), machine.word(table));
  calls.copy(at, rows, machine.at.second);
  const from = machine.addressOf(column, 'first');
  const differences = machine.at.second;
  return calls.kinds(from, rows, machine.at.marks, table, list, kinds.length, places, differences, at) !== 0;
}
