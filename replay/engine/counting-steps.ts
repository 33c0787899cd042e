import { IorrError } from '../../traces/errors.ts';
import type { Trace } from '../../traces/trace.ts';
import { countingPlan } from './counting-replay.ts';
import type { CountingReplay } from './counting-replay.ts';

/** Whether a failure says that the kernel is not for a trace: the machine may be. */
export function isNotForKernel(error: unknown): boolean {
  return error instanceof IorrError && error.code === 'LIMIT';
}

/** Plays a whole trace in steps of a segment: yields the number of events done. Returns whether the kernel is for it at all. */
export function* countingSteps(trace: Trace, replay: CountingReplay): Generator<number, boolean> {
  let events = 0;
  try {
    for (const segment of trace.segments(countingPlan(replay))) {
      replay.play(segment);
      events += segment.count;
      yield events;
    }
  } catch (error) {
    if (isNotForKernel(error)) return false;
    throw error;
  }
  return true;
}
