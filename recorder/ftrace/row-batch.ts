import type { EventSink } from '../../traces/trace.ts';
import { ColumnArrays } from './column-arrays.ts';
import type { CopiedPart, CopiedRow } from './copied-row.ts';
import type { EventOutput } from './event-output.ts';
import type { EventRecord } from './event-record.ts';
import { NO_NAME } from './name-reader.ts';
import { readWord } from './record-words.ts';

/** Records held at most. */
const MOST = 1024;
/** What is held of a record: its kind, CPU and task, then its values: those of its names, computed ones, and words of it. */
const HEAD = 3;

/**
 * Copies records into columns, a batch at a time: one column after the other, so that all that a loop needs to know of its
 * arrays is looked up once. What a record lies in is not looked at again.
 */
export class RowBatch {
  readonly #sink: EventSink;
  readonly #source: number;
  readonly #columns: ColumnArrays;
  readonly #kinds: CopiedRow[] = [];
  /** Kinds that records are held of. */
  readonly #active: CopiedRow[] = [];
  /** Numbers that are held of each record. */
  #step = HEAD;
  #held = new Int32Array(0);
  readonly #times = new Float64Array(MOST);
  /** Of each record, sorted by kind: its row, and where its values are held. */
  readonly #rows = new Int32Array(MOST);
  readonly #places = new Int32Array(MOST);
  #most = 0;
  #count = 0;

  constructor(sink: EventSink, source: number) {
    this.#sink = sink;
    this.#source = source;
    this.#columns = new ColumnArrays(sink);
  }

  /** Has to be told of each kind once, before its first record. */
  register(row: CopiedRow): void {
    this.settle();
    row.kind = this.#kinds.push(row) - 1;
    this.#step = Math.max(this.#step, HEAD + row.valueCount);
    if (this.#held.length < MOST * this.#step) this.#held = new Int32Array(MOST * this.#step);
  }

  /** Takes the record of the event at hand; false where a name of it does not lie inside the record. */
  add(row: CopiedRow, record: EventRecord, out: EventOutput): boolean {
    const held = this.#held;
    const at = this.#count * this.#step;
    const { names, computed, words: wanted, swapped } = row;
    let to = at + HEAD;
    for (let i = 0; i < names.length; i++) {
      const number = names[i]!.read(record, out);
      if (number === NO_NAME) return false;
      held[to++] = number;
    }
    for (let i = 0; i < computed.length; i++) held[to++] = computed[i]!(record, out);
    const { words } = record;
    const first = record.at >> 2;
    for (let i = 0; i < wanted.length; i++) held[to++] = readWord(words, first + wanted[i]!, swapped);
    held[at] = row.kind;
    held[at + 1] = out.cpu;
    held[at + 2] = out.task;
    this.#times[this.#count] = out.time;
    if (row.held++ === 0) this.#active.push(row);
    // A batch ends where the sink's segment does: what was interned so far is what this segment's events need.
    if (this.#count++ === 0) this.#most = Math.min(MOST, this.#sink.room ?? 1);
    if (this.#count >= this.#most) this.settle();
    return true;
  }

  /** Writes all that is held. */
  settle(): void {
    if (this.#count === 0) return;
    let from = 0;
    for (const row of this.#active) {
      row.next = from;
      from += row.held;
    }
    this.#begin();
    from = 0;
    for (const row of this.#active) {
      this.#write(row, from, row.next);
      from = row.next;
      row.held = 0;
    }
    this.#active.length = 0;
    this.#count = 0;
  }

  /** Begins an event for each record, in their order, and sorts them by kind. */
  #begin(): void {
    const held = this.#held;
    const times = this.#times;
    const rows = this.#rows;
    const places = this.#places;
    const kinds = this.#kinds;
    const sink = this.#sink;
    const source = this.#source;
    const count = this.#count;
    const step = this.#step;
    for (let i = 0, at = 0; i < count; i++, at += step) {
      const kind = kinds[held[at]!]!;
      const row = sink.begin(kind.streamId, times[i]!, held[at + 1]!, held[at + 2]!, source);
      if (row === 0) this.#columns.forget();
      const to = kind.next++;
      rows[to] = row;
      places[to] = at + HEAD;
    }
  }

  #write(kind: CopiedRow, from: number, to: number): void {
    const arrays = this.#columns.of(kind.streamId, this.#rows[to - 1]!);
    for (const { column, value } of kind.whole) this.#copy(arrays[column]!, value, from, to);
    for (const part of kind.parts) this.#copyPart(arrays[part.column]!, part, from, to);
    for (const { column, value } of kind.constants) this.#fill(arrays[column]!, value, from, to);
  }

  #copy(column: Int32Array, value: number, from: number, to: number): void {
    const held = this.#held;
    const rows = this.#rows;
    const places = this.#places;
    for (let i = from; i < to; i++) column[rows[i]!] = held[places[i]! + value]!;
  }

  #copyPart(column: Int32Array, { value, left, right, mask }: CopiedPart, from: number, to: number): void {
    const held = this.#held;
    const rows = this.#rows;
    const places = this.#places;
    for (let i = from; i < to; i++) column[rows[i]!] = ((held[places[i]! + value]! << left) >> right) & mask;
  }

  #fill(column: Int32Array, value: number, from: number, to: number): void {
    const rows = this.#rows;
    for (let i = from; i < to; i++) column[rows[i]!] = value;
  }
}
