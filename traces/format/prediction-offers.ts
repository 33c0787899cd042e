import { STREAM_NAMES } from '../schema.ts';
import type { Segment } from '../segment.ts';
import { MAX_KINDS, distinctKinds } from './kinds.ts';
import type { KindMode } from './kinds.ts';
import { KIND_COLUMNS, SLOTS } from './layout.ts';
import type { Slot } from './layout.ts';
import type { ColumnAccess, Prediction } from './prediction.ts';

/** Predictions worth trying for a column: of like words only, an address is not predicted from a process id. */
export function offers(
  slot: Slot,
  stream: number,
  values: Int32Array,
  segment: Segment,
  access: ColumnAccess,
): readonly Prediction[] {
  const list: Prediction[] = [];
  for (const other of SLOTS[stream] ?? []) {
    if (other.number >= slot.number) break;
    if (other.type === 'low' && slot.type === 'low') list.push({ type: 'row', property: other.number });
    if (!KIND_COLUMNS.has(other.column)) continue;
    const kinds = chooseModes(values, access.column(stream, other.number));
    if (kinds !== undefined) list.push({ type: 'kind', property: other.number, kinds });
    list.push(...followed(slot, other, stream, segment, access));
  }
  for (let id = 0; id < stream; id++) {
    if (segment.rows[STREAM_NAMES[id]!].count === 0) continue;
    for (const other of SLOTS[id] ?? []) {
      const alike = slot.type === 'low' ? other.type === 'low' : other.type === 'int' && other.column === slot.column;
      if (alike) list.push({ type: 'last', stream: id, property: other.number });
    }
  }
  return list;
}

/** A column whose rows may come in the order of the same column of a lower stream, both with the same kinds: unmaps follow maps. */
function followed(
  slot: Slot,
  kindSlot: Slot,
  stream: number,
  segment: Segment,
  access: ColumnAccess,
): readonly Prediction[] {
  if (slot.type !== 'low') return [];
  const kinds = distinctKinds(access.column(stream, kindSlot.number));
  if (kinds === undefined) return [];
  const list: Prediction[] = [];
  for (let id = 0; id < stream; id++) {
    if (segment.rows[STREAM_NAMES[id]!].count === 0) continue;
    const slots = SLOTS[id] ?? [];
    const otherKind = slots.find(({ column }) => column === kindSlot.column);
    const other = slots.find(({ column, type }) => column === slot.column && type === 'low');
    if (otherKind === undefined || other === undefined) continue;
    const common = { type: 'follow', property: kindSlot.number, stream: id, otherKind: otherKind.number } as const;
    // all kinds follow, or one does and the rest repeat the row before
    for (let one = kinds.length > 1 ? -1 : 0; one < kinds.length; one++) {
      const modes = kinds.map((value, kind) => ({ value, mode: one < 0 || one === kind ? 3 : 1 }));
      list.push({ ...common, other: other.number, kinds: modes });
    }
  }
  return list;
}

/** Bits of a difference as it is written: what a codec will about need for it. */
export function magnitudeOf(difference: number): number {
  return 32 - Math.clz32((difference << 1) ^ (difference >> 31));
}

/** The mode of each kind that makes its differences smallest; undefined where the column has no few kinds. */
export function chooseModes(values: Int32Array, kindColumn: Int32Array): readonly KindMode[] | undefined {
  const kinds = distinctKinds(kindColumn);
  if (kinds === undefined || kinds.length < 2) return undefined;
  // Bits of the differences of each mode, by kind.
  const zeros = new Float64Array(MAX_KINDS);
  const befores = new Float64Array(MAX_KINDS);
  const sames = new Float64Array(MAX_KINDS);
  const lastOfKind = new Int32Array(MAX_KINDS);
  let kind = 0;
  let kindValue = kinds[0]!;
  let before = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (kindColumn[i] !== kindValue) {
      kindValue = kindColumn[i]!;
      kind = kinds.indexOf(kindValue);
    }
    zeros[kind]! += magnitudeOf(value);
    befores[kind]! += magnitudeOf((value - before) | 0);
    sames[kind]! += magnitudeOf((value - lastOfKind[kind]!) | 0);
    lastOfKind[kind] = value;
    before = value;
  }
  return kinds.map((value, k) => {
    const [zero, other, same] = [zeros[k]!, befores[k]!, sames[k]!];
    return { value, mode: other < same && other < zero ? 1 : same <= zero ? 2 : 0 };
  });
}
