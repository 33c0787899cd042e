import { Random } from '../../traces/random.ts';
import type { CoreScaling, CoresPoint } from '../results.ts';
import { closedLoop } from './closed-loop.ts';
import type { ClosedLoopOptions, ClosedLoopPoint } from './closed-loop.ts';
import { joinStreams, sampleOf } from './submission-streams.ts';
import type { SubmissionStream } from './submission-streams.ts';

/** The curve has left the straight line where a core gets done less than this share of what it would without the others. */
const DEPARTS = 0.9;
/** Submissions of the trace that are replayed. */
const SAMPLE = 16_384;
/** A queue or its lock is saturated from this utilisation on. */
const SATURATED = 0.95;

/**
 * How many cores the queues bear: each core does what the trace's CPUs did, one's work after another's, and nothing else changes.
 * Undefined where no CPU submitted anything.
 */
export function coreScaling(
  counts: readonly number[],
  streams: readonly SubmissionStream[],
  options: ClosedLoopOptions,
): CoreScaling | undefined {
  const cpus = streams.filter(({ cpu, count }) => cpu >= 0 && count > 0);
  const timers = streams.filter(({ cpu, count }) => cpu < 0 && count > 1);
  if (cpus.length === 0 || counts.length === 0) return undefined;
  const work = sampleOf(joinStreams(cpus), SAMPLE, new Random(options.seed));
  const measured = new Map<number, ClosedLoopPoint>();
  const at = (cores: number): ClosedLoopPoint => {
    let point = measured.get(cores);
    if (point === undefined) {
      point = closedLoop(cores, work, timers, options);
      measured.set(cores, point);
    }
    return point;
  };
  const base = at(1);
  const wanted = [...new Set(counts)].sort((a, b) => a - b);
  const points: CoresPoint[] = wanted.map((cores) => pointOf(at(cores), base));
  const departed = (cores: number): boolean => {
    const { thinkNs, waitNs } = at(cores);
    return thinkNs + base.waitNs.mean < DEPARTS * (thinkNs + waitNs.mean);
  };
  const saturated = (cores: number): boolean => Math.max(at(cores).utilisation, at(cores).lockUtilisation) >= SATURATED;
  const alone = timers.length === 0 ? base : closedLoop(1, work, [], options);
  const demand = Math.max(alone.serviceNs, alone.lockNs);
  return {
    points,
    knee: {
      bound: demand > 0 ? (alone.thinkNs + alone.waitNs.mean) / demand : null,
      departs: firstOf(wanted, departed),
      saturates: firstOf(wanted, saturated),
      peak: points.reduce((best, one) => (one.submissionsPerSecond > best.submissionsPerSecond ? one : best)).cores,
    },
    demandNs: { hardware: alone.serviceNs, lock: alone.lockNs },
  };
}

function pointOf(point: ClosedLoopPoint, base: ClosedLoopPoint): CoresPoint {
  const { serviceNs: _service, lockNs: _lock, ...rest } = point;
  return { ...rest, relative: point.submissionsPerSecond / base.submissionsPerSecond };
}

/** The least count at which something holds, between the measured ones by halving; null if it holds at none of them. */
function firstOf(counts: readonly number[], holds: (count: number) => boolean): number | null {
  const at = counts.findIndex(holds);
  if (at < 0) return null;
  let high = counts[at] ?? 1;
  let low = counts[at - 1] ?? 0;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
