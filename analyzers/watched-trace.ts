import type { CommandProgress } from '../traces/command.ts';
import type { Segment } from '../traces/segment.ts';
import type { ReadPlan, Trace } from '../traces/trace.ts';

/**
 * The same trace; of each pass over it somebody is told how many events lie behind. A pass that is left before its end stops its
 * progress, too.
 */
export class WatchedTrace implements Trace {
  readonly #trace: Trace;
  readonly #begin: (pass: number) => CommandProgress;
  #passes = 0;

  constructor(trace: Trace, begin: (pass: number) => CommandProgress) {
    this.#trace = trace;
    this.#begin = begin;
  }

  get header(): Trace['header'] {
    return this.#trace.header;
  }
  get strings(): Trace['strings'] {
    return this.#trace.strings;
  }
  get health(): Trace['health'] {
    return this.#trace.health;
  }
  get notes(): Trace['notes'] {
    return this.#trace.notes;
  }
  get eventCount(): number {
    return this.#trace.eventCount;
  }
  get streamCounts(): Trace['streamCounts'] {
    return this.#trace.streamCounts;
  }

  *segments(plan?: ReadPlan): Generator<Segment> {
    const progress = this.#begin(++this.#passes);
    let events = 0;
    try {
      for (const segment of this.#trace.segments(plan)) {
        yield segment;
        events += segment.count;
        progress.update(events);
      }
    } finally {
      progress.stop();
    }
  }
}
