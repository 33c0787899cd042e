import { STREAM_NAMES } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { ReadPlan, Trace } from '../../../traces/trace.ts';

const STREAMS = STREAM_NAMES.length;

/** Walks a trace event by event and knows each event's row, in its segment and in the whole trace. */
export class EventCursor {
  segment: Segment | undefined;
  /** Index of the event in `segment`. */
  index = -1;
  /** Index of the event in the trace. */
  ordinal = -1;
  stream = 0;
  time = 0;
  cpu = 0;
  task = 0;
  /** Row of the event in its stream's columns of `segment`. */
  row = 0;
  /** Row of the event in its stream, counted over the whole trace. */
  streamRow = 0;
  /** The segment after this one, read ahead so that `upcoming` can look into it. */
  #next: Segment | undefined;
  readonly #source: Generator<Segment>;
  readonly #inSegment = new Int32Array(STREAMS);
  readonly #before = new Float64Array(STREAMS);

  constructor(trace: Trace, plan?: ReadPlan) {
    this.#source = plan === undefined ? trace.segments() : trace.segments(plan);
    this.#next = this.#read();
    this.#advanceSegment();
  }

  #read(): Segment | undefined {
    for (;;) {
      const step = this.#source.next();
      if (step.done === true) return undefined;
      if (step.value.count > 0) return step.value;
    }
  }

  #advanceSegment(): void {
    this.segment = this.#next;
    this.index = -1;
    for (let s = 0; s < STREAMS; s++) {
      this.#before[s] = (this.#before[s] ?? 0) + (this.#inSegment[s] ?? 0);
      this.#inSegment[s] = 0;
    }
    if (this.segment !== undefined) this.#next = this.#read();
  }

  /** Moves to the next event; false at the end. */
  next(): boolean {
    let { segment } = this;
    if (segment === undefined) return false;
    if (++this.index >= segment.count) {
      this.#advanceSegment();
      segment = this.segment;
      if (segment === undefined) return false;
      this.index = 0;
    }
    const i = this.index;
    const stream = segment.stream[i] ?? 0;
    this.ordinal++;
    this.stream = stream;
    this.time = segment.time[i] ?? 0;
    this.cpu = segment.cpu[i] ?? -1;
    this.task = segment.task[i] ?? -1;
    this.row = this.#inSegment[stream] ?? 0;
    this.#inSegment[stream] = this.row + 1;
    this.streamRow = (this.#before[stream] ?? 0) + this.row;
    return true;
  }

  /**
   * Looks at the rows of `stream` after the current event, up to `until` (time) and at most `limit` events ahead, without
   * moving. Calls `found(segment, row)`; returns how many events ahead the first accepted one is, or -1.
   */
  upcoming(stream: number, until: number, limit: number, found: (segment: Segment, row: number) => boolean): number {
    let { segment } = this;
    if (segment === undefined) return -1;
    let i = this.index;
    let row = this.#inSegment[stream] ?? 0;
    // The current event was not taken yet by the caller: it counts too.
    if (this.stream === stream) row--;
    for (let ahead = 0; ahead < limit; ahead++, i++) {
      if (i >= segment.count) {
        if (segment === this.#next || this.#next === undefined) return -1;
        segment = this.#next;
        i = 0;
        row = 0;
      }
      if ((segment.time[i] ?? 0) > until) return -1;
      if (segment.stream[i] !== stream) continue;
      if (found(segment, row)) return ahead;
      row++;
    }
    return -1;
  }
}
