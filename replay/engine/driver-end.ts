import { STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';

/**
 * Number of the last event that the driver's side recorded: an emulator logs what its queue holds, on no CPU of its guest.
 * Commands behind it have their causes behind the end of that recording. Infinity where no event is known to be the driver's.
 */
export function lastDriverEvent(trace: Trace): number {
  let last = -1;
  for (const { cpu, stream, count, firstEvent } of trace.segments({ columns: {}, reuse: true })) {
    for (let i = count - 1; i >= 0; i--) {
      if (cpu[i] === ABSENT || stream[i] === STREAM_ID.dma) continue;
      last = firstEvent + i;
      break;
    }
  }
  return last < 0 ? Number.POSITIVE_INFINITY : last;
}

export const BEHIND_DRIVER = "command behind the end of the driver's recording";
