import { snapshot } from '../../../traces/memory-trace.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import type { CopyRow } from '../../../traces/row-copier.ts';
import { STREAM_NAMES } from '../../../traces/schema.ts';
import type { BytesColumn } from '../../../traces/schema.ts';
import { SegmentBuilder } from '../../../traces/segment.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { EventSink } from '../../../traces/trace.ts';

/** One source's events that wait for their turn. They are put in at one end and taken at the other, in the same order. */
export class SourceQueue implements EventSink {
  readonly #builder = new SegmentBuilder();
  readonly #segments: Segment[] = [];
  readonly #strings: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #sink: EventSink;
  readonly #copy: CopyRow;
  /** Rows of each stream of the first segment that were taken. */
  readonly #taken = new Int32Array(STREAM_NAMES.length);
  #at = 0;
  /** Events that wait. */
  count = 0;

  /** Events go into `sink`. */
  constructor(sink: EventSink) {
    this.#sink = sink;
    this.#copy = createRowCopier({ strings: this.#strings }, sink);
  }

  get rows(): EventSink['rows'] {
    return this.#builder.rows;
  }

  begin(streamId: number, time: number, cpu: number, task: number, source?: number): number {
    if (this.#builder.full) this.seal();
    this.count++;
    return this.#builder.begin(streamId, time, cpu, task, source);
  }

  get room(): number {
    return this.#builder.room;
  }

  setBytes(column: BytesColumn, row: number, value: Uint8Array): void {
    this.#builder.setBytes(column, row, value);
  }

  intern(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#strings.push(text) - 1;
      this.#numbers.set(text, number);
    }
    return number;
  }

  text(ref: number): string | undefined {
    return this.#strings[ref];
  }

  /** What was put in so far can be taken: between two events alone. Returns it, if there is any. */
  seal(): Segment | undefined {
    if (this.#builder.count === 0) return undefined;
    const segment = snapshot(this.#builder);
    this.#segments.push(segment);
    this.#builder.clear(0);
    return segment;
  }

  /** Time of the next event; undefined if none can be taken. */
  get time(): number | undefined {
    return this.#segments[0]?.time[this.#at];
  }

  get stream(): number {
    return this.#segments[0]?.stream[this.#at] ?? 0;
  }

  get task(): number {
    return this.#segments[0]?.task[this.#at] ?? -1;
  }

  /** The segment that the next event is in, and its row in its stream. */
  get next(): { readonly segment: Segment; readonly row: number } | undefined {
    const [segment] = this.#segments;
    return segment === undefined ? undefined : { segment, row: this.#taken[this.stream] ?? 0 };
  }

  /** Gives the next event out, or leaves it out. */
  take(kept: boolean): void {
    const [segment] = this.#segments;
    if (segment === undefined) return;
    const at = this.#at;
    const stream = segment.stream[at] ?? 0;
    const row = this.#taken[stream] ?? 0;
    if (kept) {
      const { time, cpu, task, source } = segment;
      const to = this.#sink.begin(stream, time[at] ?? 0, cpu[at] ?? -1, task[at] ?? -1, source[at] ?? 0);
      this.#copy(segment, stream, row, to);
    }
    this.#taken[stream] = row + 1;
    this.count--;
    this.#at = at + 1;
    if (this.#at < segment.count) return;
    this.#segments.shift();
    this.#at = 0;
    this.#taken.fill(0);
  }
}
