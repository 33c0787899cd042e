import { STREAMS, STREAM_NAMES } from '../../traces/schema.ts';
import type { ColumnKind, StreamName } from '../../traces/schema.ts';
import { columnProperties } from '../../traces/segment.ts';
import type { EventSink } from '../../traces/trace.ts';

/** Properties of each stream's columns, in the order of the schema. */
const PROPERTIES: readonly (readonly string[])[] = STREAM_NAMES.map((name) =>
  Object.entries(STREAMS[name] as Record<string, ColumnKind>).flatMap(([column, kind]) =>
    columnProperties(column, kind),
  ),
);

/** Position of a column in the arrays of its stream; a `long` has its high word behind it. */
export function columnPosition(stream: StreamName, column: string): number {
  const properties = PROPERTIES[STREAM_NAMES.indexOf(stream)] ?? [];
  return Math.max(properties.indexOf(column), properties.indexOf(`${column}Lo`));
}

const NO_NUMBERS = new Int32Array(0);

/** A sink's columns of numbers by position, so that rows of any stream are written by one loop. */
export class ColumnArrays {
  readonly #sink: EventSink;
  #rows: EventSink['rows'] | undefined;
  readonly #arrays: (readonly Int32Array[])[] = STREAM_NAMES.map(() => []);
  readonly #capacity = new Int32Array(STREAM_NAMES.length);

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  /** A segment begins: sinks may have other arrays from here on. */
  forget(): void {
    this.#capacity.fill(0);
  }

  /** The arrays of a stream, of which `row` is the newest row: until the next event begins. */
  of(streamId: number, row: number): readonly Int32Array[] {
    const { rows } = this.#sink;
    if (rows !== this.#rows) {
      this.#rows = rows;
      this.forget();
    }
    if (row >= this.#capacity[streamId]!) this.#take(streamId, rows);
    return this.#arrays[streamId]!;
  }

  #take(streamId: number, rows: EventSink['rows']): void {
    const columns = rows[STREAM_NAMES[streamId] as StreamName].columns as unknown as Record<string, unknown>;
    const arrays = (PROPERTIES[streamId] ?? []).map((property) => {
      const array = columns[property];
      return array instanceof Int32Array ? array : NO_NUMBERS;
    });
    this.#arrays[streamId] = arrays;
    this.#capacity[streamId] = Math.max(...arrays.map(({ length }) => length));
  }
}
