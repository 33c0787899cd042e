import { STREAM_NAMES } from '../schema.ts';
import type { BytesColumn } from '../schema.ts';
import type { Segment } from '../segment.ts';
import { SLOTS } from './layout.ts';

type Arrays = Record<string, Int32Array | BytesColumn>;

/** A whole segment in one buffer, which threads can hand to each other without copying it again. */
export interface PackedSegment {
  readonly firstEvent: number;
  readonly count: number;
  /** Rows by stream number. */
  readonly rows: readonly number[];
  /** Bytes of the byte-string columns, in the order of `SLOTS`. */
  readonly contents: readonly number[];
  readonly buffer: ArrayBuffer;
}

/** The arrays of a segment in the order in which they lie in the buffer; those of 8-byte elements first. */
function* arraysOf(segment: Segment): Generator<Float64Array | Int32Array | Uint8Array> {
  const { count } = segment;
  yield segment.time.subarray(0, count);
  yield segment.cpu.subarray(0, count);
  yield segment.task.subarray(0, count);
  const contents: Uint8Array[] = [];
  for (const [id, name] of STREAM_NAMES.entries()) {
    const { count: rows, columns } = segment.rows[name];
    if (rows === 0) continue;
    for (const { property, type } of SLOTS[id]!) {
      const array = (columns as unknown as Arrays)[property]!;
      if (array instanceof Int32Array) yield array.subarray(0, rows);
      else if (type === 'contents') contents.push(array.data.subarray(0, array.offsets[rows]));
      else yield array.offsets.subarray(0, rows + 1);
    }
  }
  yield segment.stream.subarray(0, count);
  yield segment.source.subarray(0, count);
  yield* contents;
}

/** Copies a segment that has all its columns. `room` is used where it is large enough. */
export function packSegment(segment: Segment, room: ArrayBuffer | undefined): PackedSegment {
  const arrays = [...arraysOf(segment)];
  const length = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const buffer = room !== undefined && room.byteLength >= length ? room : new ArrayBuffer(length);
  const bytes = new Uint8Array(buffer);
  let at = 0;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  const rows = STREAM_NAMES.map((name) => segment.rows[name].count);
  return { firstEvent: segment.firstEvent, count: segment.count, rows, contents: contentLengths(segment), buffer };
}

function contentLengths(segment: Segment): number[] {
  return STREAM_NAMES.flatMap((name, id) => {
    const { count, columns } = segment.rows[name];
    if (count === 0) return [];
    return SLOTS[id]!.flatMap(({ property, type }) => {
      const array = (columns as unknown as Arrays)[property]!;
      return type === 'contents' && !(array instanceof Int32Array) ? [array.offsets[count]!] : [];
    });
  });
}

/** The segment again, as views of the buffer. */
export function unpackSegment({ firstEvent, count, rows, contents, buffer }: PackedSegment): Segment {
  let at = 0;
  const place = (bytes: number): number => {
    at += bytes;
    return at - bytes;
  };
  const ints = (length: number): Int32Array => new Int32Array(buffer, place(length * 4), length);
  const bytes = (length: number): Uint8Array => new Uint8Array(buffer, place(length), length);
  const time = new Float64Array(buffer, place(count * 8), count);
  const cpu = ints(count);
  const task = ints(count);
  const strings: { offsets: Int32Array; data: Uint8Array }[] = [];
  const streams = STREAM_NAMES.map((name, id) => {
    const columns: Record<string, Int32Array | BytesColumn> = {};
    const n = rows[id]!;
    for (const { property, type } of n === 0 ? [] : SLOTS[id]!) {
      if (type === 'contents') continue;
      if (type === 'lengths') {
        const column = { offsets: ints(n + 1), data: new Uint8Array(0) };
        strings.push(column);
        columns[property] = column;
      } else columns[property] = ints(n);
    }
    return [name, { count: n, columns }] as const;
  });
  const stream = bytes(count);
  const source = bytes(count);
  strings.forEach((column, i) => {
    column.data = bytes(contents[i]!);
  });
  return { firstEvent, count, time, cpu, task, stream, source, rows: Object.fromEntries(streams) as Segment['rows'] };
}
