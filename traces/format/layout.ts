import { STREAMS, STREAM_NAMES } from '../schema.ts';
import type { ColumnKind, StreamName } from '../schema.ts';
import { ABSENT_BY_DEFAULT } from '../segment.ts';
import type { ReadPlan } from '../trace.ts';
import { ABSENT } from '../units.ts';

/** One encoded column of a stream's block, at its number plus one in the frame (the stream's number stands first). */
export interface Slot {
  readonly number: number;
  /** As in the schema. */
  readonly column: string;
  /** As in `Columns`: `iovaLo` and `iovaHi` for a `long`. */
  readonly property: string;
  readonly type: 'int' | 'low' | 'high' | 'lengths' | 'contents';
  /** What rows of a segment that was written before the column existed hold. */
  readonly missing: number;
}

function slotsOf(stream: StreamName): readonly Slot[] {
  const slots: Slot[] = [];
  const add = (column: string, property: string, type: Slot['type']): void => {
    const missing = ABSENT_BY_DEFAULT.has(column) ? ABSENT : 0;
    slots.push({ number: slots.length, column, property, type, missing });
  };
  for (const [column, kind] of Object.entries(STREAMS[stream] as Record<string, ColumnKind>)) {
    if (kind === 'long') {
      add(column, `${column}Lo`, 'low');
      add(column, `${column}Hi`, 'high');
    } else if (kind === 'bytes') {
      add(column, column, 'lengths');
      add(column, column, 'contents');
    } else add(column, column, 'int');
  }
  return slots;
}

/** Slots by stream number. */
export const SLOTS: readonly (readonly Slot[])[] = STREAM_NAMES.map(slotsOf);

/** Small columns whose value says of what kind a row is. */
export const KIND_COLUMNS: ReadonlySet<string> = new Set(['origin', 'form', 'op', 'kind']);

/**
 * Columns that a later pass over a written trace may change, segment by segment, without touching the others: who owns a map
 * is only known at the end. Of all columns, `offers` (segment-encoder.ts) predicts only those of these same names from them.
 */
export const RENEWABLE: ReadonlySet<string> = new Set(['domain', 'device']);

/** What such a pass needs of a segment: these columns, and the kinds that they are predicted by. */
export const RENEWABLE_PLAN: ReadPlan = {
  columns: Object.fromEntries(
    STREAM_NAMES.map((name) => [
      name,
      Object.keys(STREAMS[name]).filter((column) => RENEWABLE.has(column) || KIND_COLUMNS.has(column)),
    ]),
  ),
};

/**
 * For each row of `stream`, the newest row of `other` before it in trace order; -1 if there is none.
 * `order` holds the stream number of each event.
 */
export function newestBefore(
  order: Uint8Array,
  events: number,
  rows: number,
  stream: number,
  other: number,
): Int32Array {
  const newest = new Int32Array(rows);
  let row = 0;
  let seen = -1;
  for (let i = 0; i < events; i++) {
    const id = order[i]!;
    if (id === other) seen++;
    else if (id === stream) newest[row++] = seen;
  }
  return newest;
}
