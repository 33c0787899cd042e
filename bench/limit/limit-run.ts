import { createStillReplay, STILL_COLUMNS } from '../../replay/engine/still-replay.ts';
import type { StillCounts } from '../../replay/engine/still-replay.ts';
import { openTrace } from '../../traces/file.ts';
import type { Trace } from '../../traces/trace.ts';
import { limitHardware } from './limit-hardware.ts';

/**
 * Plays a trace once, and says how many million of its events a second of CPU time gets through, without decoding and without its
 * maps.
 */
export function playLimit(trace: Trace): StillCounts & { readonly rate: number } {
  const still = createStillReplay(limitHardware);
  if (still === undefined) throw new RangeError('the geometry of the limit must suit');
  let events = 0;
  let micros = 0;
  // decoded beforehand, so that decoding and playing don't share a cache
  const segments = [...trace.segments({ columns: STILL_COLUMNS })];
  for (const segment of segments) {
    const before = process.cpuUsage();
    still.play(segment);
    const { user, system } = process.cpuUsage(before);
    if (segment.rows.map.count > 0) continue;
    events += segment.count;
    micros += user + system;
  }
  return { ...still.counts(), rate: events / Math.max(1, micros) };
}

// In a process of its own the code is compiled for this one replay, as it is when the command runs.
const [, script, file] = process.argv;
if (script === import.meta.filename && file !== undefined) {
  const trace = openTrace(file);
  process.stdout.write(`${JSON.stringify(playLimit(trace))}\n`);
  trace.close();
}
