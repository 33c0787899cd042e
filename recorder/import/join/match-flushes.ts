import type { Nanoseconds } from '../../../traces/units.ts';
import { fitClock } from './clock-fit.ts';
import type { ClockFit } from './clock-fit.ts';
import type { Fingerprints } from './commands.ts';

/** The clocks that accesses give are early by at most the shortest time from a map to a device's access, and hardly ever late. */
const EARLY: Nanoseconds = 200_000;
const LATE: Nanoseconds = 8_000;
/** Steps of the search: the line's slope, its ends, and how far off a slope may be. */
const WIDTH: Nanoseconds = 2_000;
const MOST_SLOPE = 20e-6;
/** A flush follows the unmap that filled the queue within this time. */
const FOLLOWS: Nanoseconds = 12_000;
const LEAST = 8;
/** Standard deviations by which the votes for a line must exceed those that unmaps anywhere give: so many lines are tried. */
const SIGNIFICANT = 6;
/** Flushes looked at for the line. */
const SAMPLES = 4096;

export interface FlushMatch {
  /** By unmap: the flush that it caused, -1 for none. */
  readonly hostOf: Int32Array;
  readonly matched: number;
  readonly clock: ClockFit;
}

/**
 * Lazy flushing: an unmap that finds its flush queue full makes the driver flush the whole domain (drivers/iommu/dma-iommu.c,
 * `queue_iova`); the other flushes are a timer's. Seen by clocks that accesses gave, a flush of the first kind comes a little
 * before an unmap, always as little; unmaps of which none belongs to it lie anywhere. So the line of differences on which most
 * flushes have an unmap gives the clocks to some us, and those unmaps. Null if too few agree.
 */
export function matchFlushes(
  guest: Fingerprints,
  host: Fingerprints,
  toGuest: (host: Nanoseconds) => Nanoseconds,
): FlushMatch | null {
  const flushes = host.time.map(toGuest);
  if (flushes.length < LEAST || guest.time.length === 0) return null;
  const line = findLine(guest.time, flushes);
  if (line === null) return null;
  const hostOf = new Int32Array(guest.time.length).fill(-1);
  const hostTimes: number[] = [];
  const guestTimes: number[] = [];
  flushes.forEach((time, flush) => {
    const at = time + line.shift + line.slope * (time - flushes[0]!);
    const unmap = newestUntil(guest.time, at + WIDTH);
    if (unmap < 0 || at - guest.time[unmap]! > FOLLOWS || hostOf[unmap]! >= 0) return;
    hostOf[unmap] = flush;
    hostTimes.push(host.time[flush]!);
    guestTimes.push(guest.time[unmap]!);
  });
  if (hostTimes.length < LEAST) return null;
  const fit = fitClock(Float64Array.from(hostTimes), Float64Array.from(guestTimes));
  return { hostOf, matched: hostTimes.length, clock: fit };
}

/** What to add to a flush's time, growing by `slope` from the first one on. */
function findLine(unmaps: Float64Array, flushes: Float64Array): { shift: Nanoseconds; slope: number } | null {
  const n = flushes.length;
  const first = flushes[0]!;
  const span = Math.max(1, flushes[n - 1]! - first);
  const step = Math.max(1, Math.floor(n / SAMPLES));
  const since: number[] = [];
  const ahead: number[] = [];
  for (let flush = 0; flush < n; flush += step) {
    const time = flushes[flush]!;
    for (let u = newestUntil(unmaps, time - LATE) + 1; u < unmaps.length && unmaps[u]! <= time + EARLY; u++) {
      since.push(time - first);
      ahead.push(unmaps[u]! - time);
    }
  }
  const bins = new Int32Array(Math.ceil((EARLY + LATE) / WIDTH) + 2);
  const steepest = Math.min(MOST_SLOPE, EARLY / span);
  const slopes = Math.ceil((steepest * span) / WIDTH);
  let best: { shift: Nanoseconds; slope: number } | null = null;
  const expected = (2 * ahead.length * WIDTH) / (EARLY + LATE);
  let most = Math.max(LEAST, expected + SIGNIFICANT * Math.sqrt(expected));
  for (let k = -slopes; k <= slopes; k++) {
    const slope = slopes === 0 ? 0 : (k / slopes) * steepest;
    bins.fill(0);
    for (let i = 0; i < since.length; i++) {
      const bin = Math.floor((ahead[i]! - slope * since[i]! + LATE) / WIDTH);
      if (bin >= 0 && bin < bins.length) bins[bin]! += 1;
    }
    for (let bin = 0; bin + 1 < bins.length; bin++) {
      const votes = bins[bin]! + bins[bin + 1]!;
      if (votes <= most) continue;
      most = votes;
      best = { shift: (bin + 1) * WIDTH - LATE, slope };
    }
  }
  return best;
}

/** Index of the newest time not after `until`; -1 if there is none. Times ascend. */
function newestUntil(times: Float64Array, until: Nanoseconds): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= until) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
