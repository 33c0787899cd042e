import { STREAM_NAMES } from '../../traces/schema.ts';
import type { BytesColumn, StreamName } from '../../traces/schema.ts';
import { SEGMENT_BYTES, SEGMENT_EVENTS } from '../../traces/segment.ts';
import type { Segment, StreamRows } from '../../traces/segment.ts';
import type { CopiedColumns, WindowSegment } from './segment-window.ts';

interface GrowingBytes {
  offsets: Int32Array;
  data: Uint8Array;
  used: number;
}

/** Puts rows of other segments together to one. `reuse`: the arrays of a segment that was taken are written over. */
export class MergedSegment {
  count = 0;
  stream = new Uint8Array(SEGMENT_EVENTS);
  time = new Float64Array(SEGMENT_EVENTS);
  cpu = new Int32Array(SEGMENT_EVENTS);
  task = new Int32Array(SEGMENT_EVENTS);
  source = new Uint8Array(SEGMENT_EVENTS);
  /** By stream, then by column. */
  readonly ints: Int32Array[][];
  readonly rows: Int32Array = new Int32Array(STREAM_NAMES.length);
  readonly #bytes: GrowingBytes[][];
  readonly #room: Int32Array = new Int32Array(STREAM_NAMES.length);
  readonly #columns: Readonly<Record<StreamName, CopiedColumns>>;
  readonly #reuse: boolean;
  #used = 0;
  #firstEvent = 0;

  constructor(columns: Readonly<Record<StreamName, CopiedColumns>>, reuse: boolean) {
    this.#columns = columns;
    this.#reuse = reuse;
    this.ints = STREAM_NAMES.map((name) => columns[name].ints.map(() => new Int32Array(0)));
    this.#bytes = STREAM_NAMES.map((name) =>
      columns[name].bytes.map(() => ({ offsets: new Int32Array(1), data: new Uint8Array(0), used: 0 })),
    );
  }

  get full(): boolean {
    return this.count >= SEGMENT_EVENTS || this.#used >= SEGMENT_BYTES / 2;
  }

  /** Copies one row and returns its number. */
  add(from: WindowSegment, event: number, row: number, time: number, cpu: number, task: number): number {
    const { segment } = from;
    const i = this.count++;
    const id = segment.stream[event]!;
    this.stream[i] = id;
    this.time[i] = time;
    this.cpu[i] = cpu;
    this.task[i] = task;
    this.source[i] = segment.source[event] ?? 0;
    const to = this.rows[id]!++;
    if (to >= this.#room[id]!) this.#enlarge(id);
    const target = this.ints[id]!;
    const source = from.ints[id]!;
    for (let k = 0; k < target.length; k++) target[k]![to] = source[k]![row]!;
    const bytes = this.#bytes[id]!;
    for (let k = 0; k < bytes.length; k++) this.#copyBytes(bytes[k]!, from.bytes[id]![k]!, row, to);
    return to;
  }

  /** A byte string of a row, to be changed in place. */
  bytesOf(stream: number, column: number, row: number): Uint8Array {
    const { data, offsets } = this.#bytes[stream]![column]!;
    return data.subarray(offsets[row], offsets[row + 1]);
  }

  take(): Segment {
    const rows: Record<string, StreamRows<StreamName>> = {};
    STREAM_NAMES.forEach((name, id) => {
      const count = this.rows[id]!;
      const columns: Record<string, Int32Array | BytesColumn> = {};
      this.#columns[name].ints.forEach((property, k) => {
        columns[property] = this.ints[id]![k]!.subarray(0, count);
      });
      this.#columns[name].bytes.forEach((property, k) => {
        const { offsets, data, used } = this.#bytes[id]![k]!;
        columns[property] = { offsets: offsets.subarray(0, count + 1), data: data.subarray(0, used) };
      });
      rows[name] = { count, columns } as unknown as StreamRows<StreamName>;
    });
    const { count } = this;
    const segment: Segment = {
      firstEvent: this.#firstEvent,
      count,
      stream: this.stream.subarray(0, count),
      time: this.time.subarray(0, count),
      cpu: this.cpu.subarray(0, count),
      task: this.task.subarray(0, count),
      source: this.source.subarray(0, count),
      rows: rows as unknown as Segment['rows'],
    };
    this.#clear();
    return segment;
  }

  #clear(): void {
    this.#firstEvent += this.count;
    this.count = 0;
    this.#used = 0;
    this.rows.fill(0);
    for (const bytes of this.#bytes.flat()) bytes.used = 0;
    if (this.#reuse) return;
    this.stream = new Uint8Array(SEGMENT_EVENTS);
    this.time = new Float64Array(SEGMENT_EVENTS);
    this.cpu = new Int32Array(SEGMENT_EVENTS);
    this.task = new Int32Array(SEGMENT_EVENTS);
    this.source = new Uint8Array(SEGMENT_EVENTS);
    this.#room.fill(0);
    for (const columns of this.ints) for (let k = 0; k < columns.length; k++) columns[k] = new Int32Array(0);
    for (const bytes of this.#bytes.flat()) {
      bytes.offsets = new Int32Array(1);
      bytes.data = new Uint8Array(0);
    }
  }

  #enlarge(id: number): void {
    const room = Math.min(SEGMENT_EVENTS, Math.max(256, this.#room[id]! * 4));
    this.#room[id] = room;
    const columns = this.ints[id]!;
    columns.forEach((column, k) => {
      const wider = new Int32Array(room);
      wider.set(column);
      columns[k] = wider;
    });
    for (const bytes of this.#bytes[id]!) {
      const wider = new Int32Array(room + 1);
      wider.set(bytes.offsets);
      bytes.offsets = wider;
    }
  }

  #copyBytes(target: GrowingBytes, source: BytesColumn, row: number, to: number): void {
    const start = source.offsets[row] ?? 0;
    const end = source.offsets[row + 1] ?? start;
    const until = target.used + end - start;
    if (until > target.data.length) {
      const wider = new Uint8Array(Math.max(1024, until * 2));
      wider.set(target.data);
      target.data = wider;
    }
    target.data.set(source.data.subarray(start, end), target.used);
    target.offsets[to] = target.used;
    target.offsets[to + 1] = until;
    target.used = until;
    this.#used += end - start;
  }
}
