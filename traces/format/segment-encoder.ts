import { STREAM_NAMES } from '../schema.ts';
import type { BytesColumn } from '../schema.ts';
import { SEGMENT_EVENTS } from '../segment.ts';
import type { Segment } from '../segment.ts';
import { predictedFrom } from './column.ts';
import type { ColumnEncoder } from './column-encoder.ts';
import { FRAME } from './frame.ts';
import { RENEWABLE, SLOTS, newestBefore } from './layout.ts';
import type { Slot } from './layout.ts';
import type { ColumnAccess, Prediction } from './prediction.ts';
import { offers } from './prediction-offers.ts';
import { checkBytes, checkInteger, readSummary } from './segment-frame.ts';
import type { SegmentContent, SegmentSummary } from './segment-frame.ts';
import { TimeEncoder } from './time-column.ts';

type Arrays = Record<string, Int32Array | BytesColumn>;

/** Encodes segment after segment, remembering which codec suits which column. */
export class SegmentEncoder {
  readonly #columns: ColumnEncoder;
  readonly #times = new TimeEncoder();
  readonly #wide = new Int32Array(SEGMENT_EVENTS);
  /** Encoded bytes so far by stream number; the last element holds the columns that all streams share. */
  readonly bytes: number[] = new Array<number>(STREAM_NAMES.length + 1).fill(0);

  constructor(columns: ColumnEncoder) {
    this.#columns = columns;
  }

  encode(segment: Segment): { content: SegmentContent; summary: SegmentSummary } {
    const n = segment.count;
    const columns = this.#columns;
    const [tMin, tMax] = extremes(segment.time, n);
    const times = this.#times.encode(segment.time, segment.stream, n, columns);
    const shared = [
      columns.encode('stream', this.#widened(segment.stream, n)),
      times.grouping,
      times.bytes,
      columns.encode('cpu', segment.cpu.subarray(0, n)),
      columns.encode('task', segment.task.subarray(0, n)),
      columns.encode('source', this.#widened(segment.source, n)),
    ];
    this.#count(STREAM_NAMES.length, shared);
    const access = segmentAccess(segment);
    const blocks: unknown[][] = [];
    STREAM_NAMES.forEach((name, id) => {
      if (segment.rows[name].count === 0) return;
      const encoded = this.#encodeRows(id, segment, access);
      this.#count(id, encoded);
      blocks.push([id, ...encoded]);
    });
    const rows = STREAM_NAMES.map((name) => segment.rows[name].count);
    const summary = { firstEvent: segment.firstEvent, count: n, tMin, tMax, rows };
    return { content: [FRAME.segment, segment.firstEvent, n, tMin, tMax, rows, shared, ...blocks], summary };
  }

  /** Bytes as integers; they hold until the next are. */
  #widened(bytes: Uint8Array, count: number): Int32Array {
    const wide = this.#wide.subarray(0, count);
    wide.set(bytes.subarray(0, count));
    return wide;
  }

  #encodeRows(stream: number, segment: Segment, access: ColumnAccess): Uint8Array[] {
    return (SLOTS[stream] ?? []).map((slot) => this.#encodeSlot(stream, slot, segment, access));
  }

  #encodeSlot(stream: number, slot: Slot, segment: Segment, access: ColumnAccess): Uint8Array {
    const name = STREAM_NAMES[stream]!;
    const { count, columns } = segment.rows[name];
    const array = (columns as unknown as Arrays)[slot.property];
    if (array === undefined) throw new TypeError(`column ${name}.${slot.property} is not there`);
    const key = `${name}.${slot.property}.${slot.type}`;
    if (array instanceof Int32Array) {
      const values = array.subarray(0, count);
      const candidates = (sample: Int32Array, sampled: ColumnAccess): readonly Prediction[] =>
        offers(slot, stream, sample, segment, sampled);
      return this.#columns.encode(key, values, { stream, access, candidates });
    }
    if (slot.type === 'contents') return this.#columns.encodeBytes(array.data.subarray(0, array.offsets[count] ?? 0));
    const lengths = new Int32Array(count);
    for (let i = 0; i < count; i++) lengths[i] = array.offsets[i + 1]! - array.offsets[i]!;
    return this.#columns.encode(key, lengths);
  }

  /**
   * A segment frame again, with the columns of `renewed` taken from `segment` and all others as they stand in `content`: for
   * a pass that only changes few columns. `segment` must hold the renewed columns and those that they are predicted from
   * (`RENEWABLE_PLAN`). Throws `RangeError` where another column is predicted from a renewed one.
   */
  renew(content: SegmentContent, segment: Segment): { content: SegmentContent; summary: SegmentSummary } {
    const summary = { ...readSummary(content), firstEvent: segment.firstEvent };
    const shared = content[6];
    if (!Array.isArray(shared)) throw new RangeError('shared columns expected');
    this.#count(STREAM_NAMES.length, shared);
    const access = segmentAccess(segment);
    const blocks = content.slice(7).map((block) => {
      if (!Array.isArray(block)) throw new RangeError('a block of a stream expected');
      const id = checkInteger(block[0], 'stream number');
      const encoded = (SLOTS[id] ?? []).map((slot) => {
        if (RENEWABLE.has(slot.column)) return this.#encodeSlot(id, slot, segment, access);
        const bytes = checkBytes(block[slot.number + 1], slot.property);
        const used = predictedFrom(bytes, id, slot.number);
        if (used !== undefined && RENEWABLE.has(SLOTS[used.stream]?.[used.property]?.column ?? '')) {
          throw new RangeError(`column ${slot.property} is predicted from one that is renewed`);
        }
        return bytes;
      });
      this.#count(id, encoded);
      return [id, ...encoded];
    });
    const { firstEvent, count, tMin, tMax, rows } = summary;
    return { content: [FRAME.segment, firstEvent, count, tMin, tMax, rows, shared, ...blocks], summary };
  }

  #count(id: number, encoded: readonly unknown[]): void {
    let sum = 0;
    for (const column of encoded) if (column instanceof Uint8Array) sum += column.length;
    this.bytes[id] = (this.bytes[id] ?? 0) + sum;
  }
}

function extremes(times: Float64Array, count: number): readonly [least: number, greatest: number] {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const time = times[i]!;
    if (time < least) least = time;
    if (time > greatest) greatest = time;
  }
  return [least, greatest];
}

function segmentAccess(segment: Segment): ColumnAccess {
  const newest = new Map<number, Int32Array>();
  return {
    column(stream, property) {
      const name = STREAM_NAMES[stream]!;
      const slot = SLOTS[stream]?.[property];
      const array = slot === undefined ? undefined : (segment.rows[name].columns as unknown as Arrays)[slot.property];
      if (!(array instanceof Int32Array)) throw new RangeError(`stream ${stream} has no integer column ${property}`);
      return array.subarray(0, segment.rows[name].count);
    },
    newestBefore(stream, other) {
      const key = stream * 256 + other;
      let rows = newest.get(key);
      if (rows === undefined) {
        const { count } = segment.rows[STREAM_NAMES[stream]!];
        rows = newestBefore(segment.stream, segment.count, count, stream, other);
        newest.set(key, rows);
      }
      return rows;
    },
  };
}
