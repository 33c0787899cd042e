import { createCountingReplay, COUNTING_COLUMNS } from '../../replay/engine/counting-replay.ts';
import type { ReplayCounts } from '../../replay/engine/counting-replay.ts';
import { openTrace } from '../../traces/file.ts';
import type { Trace } from '../../traces/trace.ts';
import { limitHardware } from './limit-hardware.ts';

/**
 * Plays a trace once, and says how many million of its events a second of CPU time gets through, without decoding and without its
 * maps.
 */
export function playLimit(trace: Trace): ReplayCounts & { readonly rate: number } {
  const replay = createCountingReplay(limitHardware);
  if (replay === undefined) throw new RangeError('the geometry of the limit must suit');
  let events = 0;
  let micros = 0;
  // decoded beforehand, so that decoding and playing don't share a cache
  const segments = [...trace.segments({ columns: COUNTING_COLUMNS })];
  for (const segment of segments) {
    const before = process.cpuUsage();
    replay.play(segment);
    const { user, system } = process.cpuUsage(before);
    if (segment.rows.map.count > 0) continue;
    events += segment.count;
    micros += user + system;
  }
  return { ...replay.counts(), rate: events / Math.max(1, micros) };
}

// In a process of its own the code is compiled for this one replay, as it is when the command runs.
const [, script, file] = process.argv;
if (script === import.meta.filename && file !== undefined) {
  const trace = openTrace(file);
  const { outputs, ...counts } = playLimit(trace);
  process.stdout.write(`${JSON.stringify({ ...counts, outputs: String(outputs) })}\n`);
  trace.close();
}
