import { STREAMS, STREAM_NAMES } from './schema.ts';
import type { BytesColumn, ColumnKind, StreamName } from './schema.ts';
import type { Segment } from './segment.ts';
import { joinWords } from './units.ts';

/** A column's value as an object: numbers, exact 64-bit values, texts (null: none), byte strings. */
export type FieldValue = number | bigint | string | null | Uint8Array;

/** One event as an object; for people and exporters, never on a hot path. */
export interface PlainEvent {
  readonly index: number;
  readonly stream: StreamName;
  /** Nanoseconds since the trace's epoch. */
  readonly time: number;
  readonly cpu: number;
  readonly task: number;
  readonly source: number;
  readonly fields: { readonly [column: string]: FieldValue };
}

function fieldValue(
  columns: Record<string, Int32Array | BytesColumn | undefined>,
  column: string,
  kind: ColumnKind,
  row: number,
  strings: readonly string[],
): FieldValue | undefined {
  if (kind === 'long') {
    const lo = columns[`${column}Lo`];
    const hi = columns[`${column}Hi`];
    if (!(lo instanceof Int32Array) || !(hi instanceof Int32Array)) return undefined;
    return joinWords(lo[row] ?? 0, hi[row] ?? 0);
  }
  const array = columns[column];
  if (array === undefined) return undefined;
  if (!(array instanceof Int32Array)) return array.data.subarray(array.offsets[row], array.offsets[row + 1]);
  const value = array[row] ?? 0;
  return kind === 'ref' ? (strings[value] ?? null) : value;
}

/** The events of a segment from place `first` on, one by one, with the columns that it was decoded with. */
export function* plainEvents(segment: Segment, strings: readonly string[], first = 0): Generator<PlainEvent> {
  const cursor = new Int32Array(STREAM_NAMES.length);
  for (let i = 0; i < segment.count; i++) {
    const id = segment.stream[i] ?? 0;
    const stream = STREAM_NAMES[id] as StreamName;
    const row = cursor[id] ?? 0;
    cursor[id] = row + 1;
    if (i < first) continue;
    const columns = segment.rows[stream].columns as unknown as Record<string, Int32Array | BytesColumn | undefined>;
    const fields: Record<string, FieldValue> = {};
    for (const [column, kind] of Object.entries(STREAMS[stream] as Record<string, ColumnKind>)) {
      const value = fieldValue(columns, column, kind, row, strings);
      if (value !== undefined) fields[column] = value;
    }
    yield {
      index: segment.firstEvent + i,
      stream,
      time: segment.time[i] ?? 0,
      cpu: segment.cpu[i] ?? 0,
      task: segment.task[i] ?? 0,
      source: segment.source[i] ?? 0,
      fields,
    };
  }
}
