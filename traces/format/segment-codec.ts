import { STREAMS, STREAM_NAMES } from '../schema.ts';
import type { BytesColumn, ColumnKind, StreamName } from '../schema.ts';
import { ABSENT_BY_DEFAULT, SEGMENT_BYTES, SEGMENT_EVENTS, columnProperties } from '../segment.ts';
import type { Segment, StreamRows } from '../segment.ts';
import type { ReadPlan } from '../trace.ts';
import { ABSENT } from '../units.ts';
import { ColumnEncoder, decodeByteString, decodeColumn } from './column.ts';
import { FRAME } from './frame.ts';
import { TimeEncoder, decodeTimes } from './time-column.ts';

/**
 * A segment frame:
 *
 *     [2, first event, events, earliest ns, latest ns, rows by stream number,
 *      [streams, grouping, times, cpus, tasks, sources],
 *      [stream number, column, column, ...], ...]
 *
 * with every column a byte string of `column.ts`. A `long` column is two (low words, high words), a `bytes` column is two
 * (lengths, contents); columns stand in schema order, so that a schema that has grown reads older segments.
 */
export type SegmentContent = readonly unknown[];

/** What a reader's index keeps of a segment. */
export interface SegmentSummary {
  readonly firstEvent: number;
  readonly count: number;
  readonly tMin: number;
  readonly tMax: number;
  readonly rows: readonly number[];
}

/** Encodes segment after segment, remembering which codec suits which column. */
export class SegmentEncoder {
  readonly #columns: ColumnEncoder;
  readonly #times = new TimeEncoder();
  /** Encoded bytes so far by stream number; the last element holds the columns that all streams share. */
  readonly bytes: number[] = new Array<number>(STREAM_NAMES.length + 1).fill(0);

  constructor(columns: ColumnEncoder) {
    this.#columns = columns;
  }

  encode(segment: Segment): { content: SegmentContent; summary: SegmentSummary } {
    const n = segment.count;
    const columns = this.#columns;
    let tMin = Number.POSITIVE_INFINITY;
    let tMax = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      const t = segment.time[i]!;
      if (t < tMin) tMin = t;
      if (t > tMax) tMax = t;
    }
    const times = this.#times.encode(segment.time, segment.stream, n, columns);
    const shared = [
      columns.encode('stream', Int32Array.from(segment.stream.subarray(0, n))),
      times.grouping,
      times.bytes,
      columns.encode('cpu', segment.cpu.subarray(0, n)),
      columns.encode('task', segment.task.subarray(0, n)),
      columns.encode('source', Int32Array.from(segment.source.subarray(0, n))),
    ];
    this.#count(STREAM_NAMES.length, shared);
    const blocks: unknown[][] = [];
    STREAM_NAMES.forEach((name, id) => {
      const rows = segment.rows[name];
      if (rows.count === 0) return;
      const encoded = this.#encodeRows(name, rows);
      this.#count(id, encoded);
      blocks.push([id, ...encoded]);
    });
    const summary = {
      firstEvent: segment.firstEvent,
      count: n,
      tMin,
      tMax,
      rows: STREAM_NAMES.map((name) => segment.rows[name].count),
    };
    return { content: [FRAME.segment, segment.firstEvent, n, tMin, tMax, summary.rows, shared, ...blocks], summary };
  }

  #encodeRows(name: StreamName, rows: StreamRows<StreamName>): Uint8Array[] {
    const encoded: Uint8Array[] = [];
    const arrays = rows.columns as unknown as Record<string, Int32Array | BytesColumn>;
    for (const [column, kind] of Object.entries(STREAMS[name])) {
      for (const property of columnProperties(column, kind)) {
        const array = arrays[property];
        if (array === undefined) throw new TypeError(`column ${name}.${property} is not there`);
        const key = `${name}.${property}`;
        if (array instanceof Int32Array) encoded.push(this.#columns.encode(key, array.subarray(0, rows.count)));
        else {
          const lengths = new Int32Array(rows.count);
          for (let i = 0; i < rows.count; i++) lengths[i] = array.offsets[i + 1]! - array.offsets[i]!;
          encoded.push(this.#columns.encode(key, lengths));
          encoded.push(this.#columns.encodeBytes(array.data.subarray(0, array.offsets[rows.count] ?? 0)));
        }
      }
    }
    return encoded;
  }

  #count(id: number, encoded: readonly unknown[]): void {
    let sum = 0;
    for (const column of encoded) if (column instanceof Uint8Array) sum += column.length;
    this.bytes[id] = (this.bytes[id] ?? 0) + sum;
  }
}

function count(value: unknown, limit: number, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > limit) {
    throw new RangeError(`${what}: a count up to ${limit} expected, found ${String(value)}`);
  }
  return value;
}

function bytesOf(value: unknown, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new RangeError(`${what}: bytes expected`);
  return value;
}

function integer(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new RangeError(`${what}: an integer expected`);
  return value;
}

/** Reads the parts of a segment frame that the index needs. Throws `RangeError` where they are damaged. */
export function readSummary(content: SegmentContent): SegmentSummary {
  const rows = content[5];
  if (!Array.isArray(rows) || rows.length > 32) throw new RangeError('rows by stream expected');
  const counts = rows.map((value, id) => count(value, SEGMENT_EVENTS, `rows of stream ${id}`));
  const events = count(content[2], SEGMENT_EVENTS, 'events of a segment');
  if (counts.reduce((a, b) => a + b, 0) !== events) throw new RangeError('rows do not add up to the events');
  return {
    firstEvent: count(content[1], Number.MAX_SAFE_INTEGER, 'first event'),
    count: events,
    tMin: integer(content[3], 'earliest time'),
    tMax: integer(content[4], 'latest time'),
    rows: counts,
  };
}

type Allocate = (bytes: number) => ArrayBuffer | SharedArrayBuffer;

/**
 * Decodes what a plan asks for. Everything is checked against the summary: consumers may index without looking.
 * Throws `RangeError` (or a zlib error) where the content is damaged.
 */
export function decodeSegment(content: SegmentContent, summary: SegmentSummary, plan: ReadPlan): Segment {
  const n = summary.count;
  const allocate: Allocate = plan.shared === true ? (size) => new SharedArrayBuffer(size) : (size) => new ArrayBuffer(size);
  const shared = content[6];
  if (!Array.isArray(shared)) throw new RangeError('shared columns expected');
  const scratch = new Int32Array(n);
  decodeColumn(bytesOf(shared[0], 'streams'), scratch);
  const stream = new Uint8Array(allocate(n));
  const seen = new Int32Array(32);
  for (let i = 0; i < n; i++) {
    const id = scratch[i]!;
    if (id < 0 || id >= STREAM_NAMES.length) throw new RangeError(`no stream ${id}`);
    stream[i] = id;
    seen[id]!++;
  }
  for (let id = 0; id < 32; id++) if (seen[id] !== (summary.rows[id] ?? 0)) throw new RangeError('streams do not add up');
  const time = new Float64Array(allocate(n * 8));
  decodeTimes(integer(shared[1], 'grouping'), bytesOf(shared[2], 'times'), stream, time);
  const cpu = new Int32Array(allocate(n * 4));
  decodeColumn(bytesOf(shared[3], 'cpus'), cpu);
  const task = new Int32Array(allocate(n * 4));
  decodeColumn(bytesOf(shared[4], 'tasks'), task);
  decodeColumn(bytesOf(shared[5], 'sources'), scratch);
  const source = new Uint8Array(allocate(n));
  for (let i = 0; i < n; i++) source[i] = scratch[i]!;

  const blocks = new Map<number, readonly unknown[]>();
  for (const block of content.slice(7)) {
    if (!Array.isArray(block)) throw new RangeError('a block of a stream expected');
    blocks.set(integer(block[0], 'stream number'), block);
  }
  const rows: Record<string, StreamRows<StreamName>> = {};
  STREAM_NAMES.forEach((name, id) => {
    const rowCount = summary.rows[id] ?? 0;
    const wanted = plan.columns === undefined ? 'all' : (plan.columns[name] ?? []);
    const columns = decodeRows(name, rowCount, blocks.get(id), wanted, allocate);
    rows[name] = { count: rowCount, columns } as unknown as StreamRows<StreamName>;
  });
  return {
    firstEvent: summary.firstEvent,
    count: n,
    stream,
    time,
    cpu,
    task,
    source,
    rows: rows as unknown as Segment['rows'],
  };
}

function decodeRows(
  name: StreamName,
  rowCount: number,
  block: readonly unknown[] | undefined,
  wanted: readonly string[] | 'all',
  allocate: Allocate,
): Record<string, Int32Array | BytesColumn> {
  const columns: Record<string, Int32Array | BytesColumn> = {};
  if (rowCount > 0 && block === undefined) throw new RangeError(`rows of ${name} are not there`);
  let at = 1;
  const next = (): unknown => block?.[at++];
  for (const [column, kind] of Object.entries(STREAMS[name] as Record<string, ColumnKind>)) {
    const skip = wanted !== 'all' && !wanted.includes(column);
    if (kind === 'bytes') {
      const lengths = next();
      const data = next();
      if (!skip) columns[column] = decodeBytesColumn(rowCount, lengths, data, allocate);
      continue;
    }
    for (const property of columnProperties(column, kind)) {
      const encoded = next();
      if (skip) continue;
      const array = new Int32Array(allocate(rowCount * 4));
      if (encoded !== undefined) decodeColumn(bytesOf(encoded, property), array);
      else if (ABSENT_BY_DEFAULT.has(column)) array.fill(ABSENT);
      columns[property] = array;
    }
  }
  return columns;
}

function decodeBytesColumn(rowCount: number, lengths: unknown, data: unknown, allocate: Allocate): BytesColumn {
  const offsets = new Int32Array(allocate((rowCount + 1) * 4));
  if (lengths === undefined || data === undefined) return { offsets, data: new Uint8Array(allocate(0)) };
  const sizes = new Int32Array(rowCount);
  decodeColumn(bytesOf(lengths, 'lengths'), sizes);
  let end = 0;
  for (let i = 0; i < rowCount; i++) {
    const size = sizes[i]!;
    if (size < 0 || size > SEGMENT_BYTES - end) throw new RangeError('byte strings exceed the segment');
    end += size;
    offsets[i + 1] = end;
  }
  const raw = decodeByteString(bytesOf(data, 'contents'), SEGMENT_BYTES);
  if (raw.length !== end) throw new RangeError('byte strings do not add up');
  const copy = new Uint8Array(allocate(end));
  copy.set(raw);
  return { offsets, data: copy };
}
