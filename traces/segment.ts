import { ABSENT } from './units.ts';
import { STREAMS, STREAM_NAMES } from './schema.ts';
import type { BytesColumn, ColumnKind, Columns, StreamName } from './schema.ts';

/** Events in one segment at most; every per-segment array has a small, known size. */
export const SEGMENT_EVENTS = 65536;
/** Bytes of all byte strings of one column in one segment at most. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;

/** The rows of one stream in a segment; columns that a reader did not ask for are not there. */
export interface StreamRows<S extends StreamName> {
  count: number;
  columns: Columns<S>;
}

/**
 * Up to `SEGMENT_EVENTS` events of all streams, in trace order, as arrays. Event i is of stream `stream[i]`; the k-th event
 * of a stream in the segment is row k of that stream's columns.
 */
export interface Segment {
  /** Index in the trace of this segment's event 0. */
  readonly firstEvent: number;
  readonly count: number;
  readonly stream: Uint8Array;
  /** Nanoseconds since the trace's epoch. */
  readonly time: Float64Array;
  readonly cpu: Int32Array;
  readonly task: Int32Array;
  /** Index into the header's sources. */
  readonly source: Uint8Array;
  readonly rows: { readonly [S in StreamName]: StreamRows<S> };
}

/** Property names of a column: one, or two for a `long`. */
export function columnProperties(name: string, kind: ColumnKind): readonly string[] {
  return kind === 'long' ? [`${name}Lo`, `${name}Hi`] : [name];
}

/** `offsets` of rows that were given no bytes stay 0 until `settle`. */
class GrowingBytes implements BytesColumn {
  offsets: Int32Array = new Int32Array(1);
  data = new Uint8Array(0);
  used = 0;

  settle(rows: number): void {
    const { offsets } = this;
    for (let i = 1; i <= rows; i++) {
      const before = offsets[i - 1] ?? 0;
      if ((offsets[i] ?? 0) < before) offsets[i] = before;
    }
  }
}

function grow(column: Int32Array, rows: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(rows);
  next.set(column);
  return next;
}

/**
 * Builds a segment event by event: `const row = builder.begin(STREAM_ID.map, time, cpu, task, source)`, then write every
 * column of that row through `builder.rows.map.columns`. Columns not written keep what `begin` put there: 0, or `ABSENT` for
 * those named in `ABSENT_BY_DEFAULT`. After `full` turns true, take the segment and `clear()`.
 */
export class SegmentBuilder {
  firstEvent = 0;
  count = 0;
  readonly stream = new Uint8Array(SEGMENT_EVENTS);
  readonly time = new Float64Array(SEGMENT_EVENTS);
  readonly cpu = new Int32Array(SEGMENT_EVENTS);
  readonly task = new Int32Array(SEGMENT_EVENTS);
  readonly source = new Uint8Array(SEGMENT_EVENTS);
  readonly rows: { readonly [S in StreamName]: StreamRows<S> };
  #bytes = 0;
  readonly #capacity = new Int32Array(STREAM_NAMES.length);
  readonly #all: StreamRows<StreamName>[] = [];

  constructor() {
    const rows: Record<string, StreamRows<StreamName>> = {};
    for (const name of STREAM_NAMES) {
      const columns: Record<string, Int32Array | BytesColumn> = {};
      for (const [column, kind] of Object.entries(STREAMS[name] as Record<string, ColumnKind>)) {
        for (const property of columnProperties(column, kind)) {
          columns[property] = kind === 'bytes' ? new GrowingBytes() : new Int32Array(0);
        }
      }
      // An object that was filled by computed names is a hash table from a dozen on; its copy is not: rows of
      // calls, which have 24, are written in two thirds of the time.
      const entry = { count: 0, columns: { ...columns } } as unknown as StreamRows<StreamName>;
      rows[name] = entry;
      this.#all.push(entry);
    }
    this.rows = rows as unknown as { readonly [S in StreamName]: StreamRows<S> };
  }

  get full(): boolean {
    return this.count >= SEGMENT_EVENTS || this.#bytes >= SEGMENT_BYTES / 2;
  }

  /** Events that it can take until it is full, as long as they have no byte strings. */
  get room(): number {
    return this.full ? 0 : SEGMENT_EVENTS - this.count;
  }

  /** Starts an event and returns its row in its stream. The segment must not be full. */
  begin(streamId: number, time: number, cpu: number, task: number, source = 0): number {
    const i = this.count++;
    this.stream[i] = streamId;
    this.time[i] = time;
    this.cpu[i] = cpu;
    this.task[i] = task;
    this.source[i] = source;
    const rows = this.#all[streamId];
    if (rows === undefined) throw new RangeError(`no stream ${streamId}`);
    const row = rows.count++;
    if (row >= (this.#capacity[streamId] ?? 0)) this.#enlarge(streamId, rows);
    return row;
  }

  /** Sets a byte-string column of the newest row of a stream. */
  setBytes(column: BytesColumn, row: number, value: Uint8Array): void {
    if (!(column instanceof GrowingBytes)) throw new TypeError('setBytes: not a column of this builder');
    const start = column.used;
    const end = start + value.length;
    if (end > SEGMENT_BYTES) throw new RangeError(`byte strings of a segment exceed ${SEGMENT_BYTES} bytes`);
    if (end > column.data.length) {
      const data = new Uint8Array(Math.min(SEGMENT_BYTES, Math.max(1024, end * 2)));
      data.set(column.data);
      column.data = data;
    }
    column.data.set(value, start);
    if (row > 0 && (column.offsets[row] ?? 0) < start) column.offsets[row] = start;
    column.offsets[row + 1] = end;
    column.used = end;
    this.#bytes += value.length;
  }

  /** Makes the offsets of all byte columns whole; call before reading them. */
  settle(): void {
    for (const rows of this.#all) {
      for (const column of Object.values(rows.columns)) if (column instanceof GrowingBytes) column.settle(rows.count);
    }
  }

  clear(firstEvent: number): void {
    this.firstEvent = firstEvent;
    this.count = 0;
    this.#bytes = 0;
    STREAM_NAMES.forEach((name, id) => {
      const rows = this.#all[id];
      if (rows === undefined || rows.count === 0) return;
      const columns = rows.columns as unknown as Record<string, Int32Array | BytesColumn>;
      for (const [column, kind] of Object.entries(STREAMS[name] as Record<string, ColumnKind>)) {
        for (const property of columnProperties(column, kind)) {
          const array = columns[property];
          if (array instanceof Int32Array) array.fill(ABSENT_BY_DEFAULT.has(column) ? ABSENT : 0, 0, rows.count);
          else if (array instanceof GrowingBytes) {
            array.offsets.fill(0, 0, rows.count + 1);
            array.used = 0;
          }
        }
      }
      rows.count = 0;
    });
  }

  #enlarge(streamId: number, rows: StreamRows<StreamName>): void {
    const old = this.#capacity[streamId] ?? 0;
    const capacity = Math.min(SEGMENT_EVENTS, Math.max(64, old * 4));
    this.#capacity[streamId] = capacity;
    const columns = rows.columns as unknown as Record<string, Int32Array | BytesColumn>;
    const name = STREAM_NAMES[streamId] as StreamName;
    for (const [column, kind] of Object.entries(STREAMS[name] as Record<string, ColumnKind>)) {
      for (const property of columnProperties(column, kind)) {
        const array = columns[property];
        if (array instanceof Int32Array) {
          const next = grow(array, capacity);
          if (ABSENT_BY_DEFAULT.has(column)) next.fill(ABSENT, old);
          columns[property] = next;
        } else if (array !== undefined) {
          array.offsets = grow(array.offsets, capacity + 1);
        }
      }
    }
  }
}

/** Columns whose value is `ABSENT` (-1) unless set; all others start at 0. */
export const ABSENT_BY_DEFAULT: ReadonlySet<string> = new Set([
  'pid',
  'fd',
  'path',
  'domain',
  'device',
  'attrs',
  'unit',
  'pasid',
  'rid',
  'perm',
  'hwpt',
  'group',
  'mask',
  'text',
  'seq',
  'name',
  'layout',
]);

/** Narrowing helper: the stream's number is its position in `STREAM_NAMES`. */
export function streamName(id: number): StreamName | undefined {
  return STREAM_NAMES[id];
}
