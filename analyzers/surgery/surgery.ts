import type { TraceHeader } from '../../traces/header.ts';
import type { EventSink, Trace } from '../../traces/trace.ts';

/** One step a segment, so that whoever drives it can stop in between; the value is what was found out. */
export type Steps<R> = Generator<void, R>;

/** A trace made from another one: its header, known before the first event, and the events, in steps. */
export interface Surgery<R> {
  readonly header: TraceHeader;
  readonly steps: (sink: EventSink) => Steps<R>;
}

/** The notes of a reshaped trace: those of its input, and under `surgery` what was done to it, oldest first. */
export function surgeryNotes(notes: Trace['notes'], command: string, done: object): Trace['notes'] {
  const before: readonly unknown[] = Array.isArray(notes['surgery']) ? notes['surgery'] : [];
  return { ...notes, surgery: [...before, { command, ...done }] };
}

/** Drives the steps to their end: for sinks in memory. */
export function runSteps<R>(steps: Steps<R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
