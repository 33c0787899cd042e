import type { EventSink } from '../../traces/trace.ts';
import { ColumnArrays } from './column-arrays.ts';
import type { CopiedPart, CopiedRow } from './copied-row.ts';
import type { EventOutput } from './event-output.ts';
import type { EventRecord } from './event-record.ts';
import { NO_NAME } from './name-reader.ts';
import { readWord } from './record-words.ts';

/** Records held at most. */
const MOST = 1024;
/** What is held of a record: its kind, where it begins, CPU, task, and numbers that are no words of it. */
const HEAD = 4;
const NUMBERS = 4;
const STEP = HEAD + NUMBERS;

/**
 * Copies records into columns, a batch at a time: one column after the other, so that all that a loop needs to know of its
 * arrays is looked up once.
 */
export class RowBatch {
  readonly #sink: EventSink;
  readonly #source: number;
  readonly #columns: ColumnArrays;
  readonly #kinds: CopiedRow[] = [];
  /** Kinds that records are held of. */
  readonly #active: CopiedRow[] = [];
  readonly #held = new Int32Array(MOST * STEP);
  readonly #times = new Float64Array(MOST);
  /** Of each record, sorted by kind: its row, where it begins, where its numbers are held. */
  readonly #rows = new Int32Array(MOST);
  readonly #places = new Int32Array(MOST);
  readonly #numbers = new Int32Array(MOST);
  #words: Int32Array = new Int32Array(0);
  #most = 0;
  #count = 0;

  constructor(sink: EventSink, source: number) {
    this.#sink = sink;
    this.#source = source;
    this.#columns = new ColumnArrays(sink);
  }

  /** Has to be told of each kind once, before its first record. */
  register(row: CopiedRow): void {
    if (row.names.length + row.computed.length > NUMBERS)
      throw new RangeError(`more than ${NUMBERS} names in a record`);
    row.kind = this.#kinds.push(row) - 1;
  }

  /**
   * Takes the record of the event at hand; false where a name of it does not lie inside the record. What it lies in must stay as
   * it is until `settle`.
   */
  add(row: CopiedRow, record: EventRecord, out: EventOutput): boolean {
    if (record.words !== this.#words) {
      this.settle();
      this.#words = record.words;
    }
    const held = this.#held;
    const at = this.#count * STEP;
    const { names, computed } = row;
    let to = at + HEAD;
    for (let i = 0; i < names.length; i++) {
      const number = names[i]!.read(record, out);
      if (number === NO_NAME) return false;
      held[to++] = number;
    }
    for (let i = 0; i < computed.length; i++) held[to++] = computed[i]!(record, out);
    held[at] = row.kind;
    held[at + 1] = record.at >> 2;
    held[at + 2] = out.cpu;
    held[at + 3] = out.task;
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
    const numbers = this.#numbers;
    const kinds = this.#kinds;
    const sink = this.#sink;
    const source = this.#source;
    const count = this.#count;
    for (let i = 0, at = 0; i < count; i++, at += STEP) {
      const kind = kinds[held[at]!]!;
      const row = sink.begin(kind.streamId, times[i]!, held[at + 2]!, held[at + 3]!, source);
      if (row === 0) this.#columns.forget();
      const to = kind.next++;
      rows[to] = row;
      places[to] = held[at + 1]!;
      numbers[to] = at + HEAD;
    }
  }

  #write(kind: CopiedRow, from: number, to: number): void {
    const arrays = this.#columns.of(kind.streamId, this.#rows[to - 1]!);
    const { swapped } = kind;
    for (const { column, lo, hi } of kind.longs) {
      if (swapped) {
        this.#copyPart(arrays[column]!, { word: lo, left: 0, right: 0, mask: -1 }, swapped, from, to);
        this.#copyPart(arrays[column + 1]!, { word: hi, left: 0, right: 0, mask: -1 }, swapped, from, to);
      } else this.#copyLong(arrays[column]!, arrays[column + 1]!, lo, hi, from, to);
    }
    for (const part of kind.parts) this.#copyPart(arrays[part.column]!, part, swapped, from, to);
    const { numberColumns, constants } = kind;
    for (let i = 0; i < numberColumns.length; i++) this.#copyNumber(arrays[numberColumns[i]!]!, i, from, to);
    for (const { column, value } of constants) this.#fill(arrays[column]!, value, from, to);
  }

  #copyLong(loColumn: Int32Array, hiColumn: Int32Array, lo: number, hi: number, from: number, to: number): void {
    const words = this.#words;
    const rows = this.#rows;
    const places = this.#places;
    for (let i = from; i < to; i++) {
      const row = rows[i]!;
      const place = places[i]!;
      loColumn[row] = words[place + lo]!;
      hiColumn[row] = words[place + hi]!;
    }
  }

  #copyPart(
    column: Int32Array,
    { word, left, right, mask }: Omit<CopiedPart, 'column'>,
    swapped: boolean,
    from: number,
    to: number,
  ): void {
    const words = this.#words;
    const rows = this.#rows;
    const places = this.#places;
    for (let i = from; i < to; i++) {
      column[rows[i]!] = ((readWord(words, places[i]! + word, swapped) << left) >> right) & mask;
    }
  }

  #copyNumber(column: Int32Array, number: number, from: number, to: number): void {
    const held = this.#held;
    const rows = this.#rows;
    const numbers = this.#numbers;
    for (let i = from; i < to; i++) column[rows[i]!] = held[numbers[i]! + number]!;
  }

  #fill(column: Int32Array, value: number, from: number, to: number): void {
    const rows = this.#rows;
    for (let i = from; i < to; i++) column[rows[i]!] = value;
  }
}
