import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import type { TraceFile } from '../../traces/format/reader.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { printable } from '../report/escape.ts';
import { eventDetail } from '../event-text.ts';
import type { EventRow } from './view-messages.ts';

/** Rows of one answer at most. */
export const MOST_ROWS = 500;
/** Events on both sides of one that is looked up. */
const AROUND = 250;
/** Characters of a row. */
const MOST_TEXT = 400;

/** Events by their number, of the segments that hold them and no others. */
export class EventRows {
  readonly #trace: TraceFile;
  /** The one that was read last: who scrolls asks for its rows again and again. */
  #kept: { readonly number: number; readonly segment: Segment | undefined } | undefined;

  constructor(trace: TraceFile) {
    this.#trace = trace;
  }

  /** `count` events from number `first` on, as far as there are. */
  rows(first: number, count: number): readonly EventRow[] {
    const rows: EventRow[] = [];
    for (const event of this.#events(first, Math.min(count, MOST_ROWS))) {
      const what = printable(eventDetail(event), MOST_TEXT);
      rows.push([event.index, event.time, event.cpu, event.task, event.stream, what]);
    }
    return rows;
  }

  /** Where an event is, and the times between which its neighbours lie; undefined where the trace has no such event. */
  place(event: number): { readonly t: Nanoseconds; readonly from: Nanoseconds; readonly to: Nanoseconds } | undefined {
    let t: Nanoseconds | undefined;
    let from = Number.POSITIVE_INFINITY;
    let to = Number.NEGATIVE_INFINITY;
    for (const { index, time } of this.#events(Math.max(0, event - AROUND), 2 * AROUND + 1)) {
      if (index === event) t = time;
      from = Math.min(from, time);
      to = Math.max(to, time);
    }
    return t === undefined ? undefined : { t, from, to };
  }

  #segment(number: number): Segment | undefined {
    if (this.#kept?.number !== number) this.#kept = { number, segment: this.#trace.readSegment(number) };
    return this.#kept.segment;
  }

  *#events(first: number, count: number): Generator<PlainEvent> {
    const end = first + count;
    for (let number = 0; number < this.#trace.segmentCount; number++) {
      const span = this.#trace.segmentSpan(number);
      if (span === undefined || span.firstEvent + span.count <= first) continue;
      if (span.firstEvent >= end) return;
      const segment = this.#segment(number);
      if (segment === undefined) continue;
      for (const event of plainEvents(segment, this.#trace.strings, first - span.firstEvent)) {
        if (event.index >= end) return;
        yield event;
      }
    }
  }
}
