import type { Nanoseconds } from '../../../traces/units.ts';

/**
 * The mapping of one clock to another, as knots with straight lines between them; beyond the ends it runs on with the drift
 * of the whole.
 */
export interface ClockMap {
  readonly host: Float64Array;
  readonly guest: Float64Array;
  /** Guest nanoseconds per host nanosecond beyond the ends. */
  readonly rate: number;
}

/** Residuals are host time, mapped to the guest's clock, minus guest time: the delay of each command, ns. */
export interface ClockFit {
  readonly map: ClockMap;
  readonly pairs: number;
  /** Parts of the run in which one clock runs steadily against the other; more than one if a clock was set. */
  readonly pieces: number;
  readonly knots: number;
  /** How much faster the host's clock runs than the guest's, parts per million. */
  readonly driftPpm: number;
  readonly residualNs: { readonly min: number; readonly median: number; readonly p99: number; readonly max: number };
}

/** Clocks of one machine drift by so much around their mean difference, at most. */
const WANDER = 15e-6;
/** A jump between two pairs beyond this drift and this size means that a clock was set. */
const STEP_WANDER = 50e-6;
const STEP = 1_000_000;
/** Pairs on each side that must agree about a step. */
const STEP_PAIRS = 32;
/** Pairs that must be late throughout to be taken for a clock that was set: a stall makes a few late in a row. */
const STEP_SUPPORT = 16;
/** A low pair has another one that is nearly as low among so many on either side. */
const AROUND = 16;
const SUPPORT = 100_000;
const WINDOW = 1_000_000_000;
const MAX_WINDOWS = 20_000;
/** Both logs print microseconds. */
const TOLERANCE = 1_000;
const MAX_DEPTH = 64;

/**
 * Fits `guest = host - offset(host)` to pairs of times of the same happening, seen by the host at or after the guest: the
 * offset is the lower envelope of host minus guest, piecewise linear. Pairs may come from anything that both sides logged
 * (commands, marks). Times must not decrease on either side. Throws RangeError without pairs.
 */
export function fitClock(hostTimes: Float64Array, guestTimes: Float64Array): ClockFit {
  const n = Math.min(hostTimes.length, guestTimes.length);
  if (n === 0) throw new RangeError('fitClock: no pairs');
  const first = hostTimes[0]!;
  const drift = meanDrift(hostTimes, guestTimes, n);
  // Detrended difference; the envelope is found in it, where it is nearly flat.
  const level = new Float64Array(n);
  for (let i = 0; i < n; i++) level[i] = hostTimes[i]! - guestTimes[i]! - drift * (hostTimes[i]! - first);
  const starts = findPieces(hostTimes, level);
  const knots = starts.flatMap((start, k) => {
    const end = starts[k + 1] ?? n;
    doubtLow(level, start, end);
    return knotsOf(hostTimes, level, start, end);
  });
  const map = createMap(hostTimes, knots, drift);
  return {
    map,
    pairs: n,
    pieces: starts.length,
    knots: map.host.length,
    driftPpm: drift * 1e6,
    residualNs: residuals(map, hostTimes, guestTimes),
  };
}

/** Maps host times to the guest's clock, rounded to ns. Quick for times that come in order. */
export function createClockMapper(map: ClockMap): (host: Nanoseconds) => Nanoseconds {
  const { host, guest, rate } = map;
  const last = host.length - 1;
  let k = 0;
  return (time) => {
    if (time <= host[0]!) return Math.round(guest[0]! + (time - host[0]!) * rate);
    if (time >= host[last]!) return Math.round(guest[last]! + (time - host[last]!) * rate);
    if (time < host[k]!) k = 0;
    while (time >= host[k + 1]!) k++;
    const share = (time - host[k]!) / (host[k + 1]! - host[k]!);
    return Math.round(guest[k]! + (guest[k + 1]! - guest[k]!) * share);
  };
}

/** Median slope of the difference between windows that lie well apart (Theil-Sen): steps and stalls don't move it. */
function meanDrift(host: Float64Array, guest: Float64Array, n: number): number {
  const span = host[n - 1]! - host[0]!;
  const width = Math.max(WINDOW, span / 200);
  const times: number[] = [];
  const lows: number[] = [];
  let window = -1;
  for (let i = 0; i < n; i++) {
    const at = Math.floor((host[i]! - host[0]!) / width);
    const difference = host[i]! - guest[i]!;
    if (at !== window) {
      window = at;
      times.push(host[i]!);
      lows.push(difference);
    } else if (difference < lows[lows.length - 1]!) {
      times[times.length - 1] = host[i]!;
      lows[lows.length - 1] = difference;
    }
  }
  const slopes: number[] = [];
  for (let a = 0; a < times.length; a++) {
    for (let b = a + 1; b < times.length; b++) {
      const apart = times[b]! - times[a]!;
      if (apart >= span / 10) slopes.push((lows[b]! - lows[a]!) / apart);
    }
  }
  // Too few to tell drift from delay.
  if (slopes.length < 10) return 0;
  slopes.sort((a, b) => a - b);
  return slopes[slopes.length >> 1]!;
}

/** Indices at which pieces start. */
function findPieces(host: Float64Array, level: Float64Array): number[] {
  const n = host.length;
  const starts = [0];
  let i = 0;
  while (i < n - 1) {
    const from = Math.max(starts[starts.length - 1]!, i - STEP_PAIRS + 1);
    const before = lowest(host, level, from, i + 1, host[i]!);
    const after = lowest(host, level, i + 1, Math.min(n, i + 1 + STEP_PAIRS), host[i]!);
    const up = after - before > STEP;
    const down = before - after > STEP;
    if (up && n - i - 1 >= STEP_SUPPORT && staysUp(host, level, i, before)) starts.push(i + 1);
    // The drop itself lies at the last pair for which everything before is higher.
    else if (down && i + 1 - starts[starts.length - 1]! >= STEP_SUPPORT && staysDown(host, level, from, i + 1))
      starts.push(i + 1);
    i++;
  }
  return starts;
}

function lowest(host: Float64Array, level: Float64Array, from: number, to: number, at: number): number {
  let low = Number.POSITIVE_INFINITY;
  for (let k = from; k < to; k++) {
    const reach = level[k]! + STEP_WANDER * Math.abs(host[k]! - at);
    if (reach < low) low = reach;
  }
  return low;
}

/** Late commands come back to the old level in time; a clock that was set does not. */
function staysUp(host: Float64Array, level: Float64Array, i: number, before: number): boolean {
  const n = host.length;
  for (let k = i + 1; k < n; k++) {
    if (level[k]! - before < STEP + WANDER * (host[k]! - host[i]!)) return false;
    // A later step down is another matter; enough pairs agree by now.
    if (k - i >= 4096) return true;
  }
  return true;
}

/** Every pair since the last step lies higher than what follows. */
function staysDown(host: Float64Array, level: Float64Array, from: number, next: number): boolean {
  for (let k = from; k < next; k++) {
    if (level[k]! - level[next]! < STEP + STEP_WANDER * (host[next]! - host[k]!)) return false;
  }
  return true;
}

/**
 * Takes pairs out of consideration that lie lower than every pair around them: nothing makes a command early, so such a pair
 * joins commands that only look alike. The quickest commands of a run are many.
 */
function doubtLow(level: Float64Array, start: number, end: number): void {
  const doubtful: number[] = [];
  for (let i = start; i < end; i++) {
    const from = Math.max(start, i - AROUND);
    const to = Math.min(end, i + AROUND + 1);
    if (to - from <= 4) continue;
    let supported = false;
    for (let k = from; k < to && !supported; k++) supported = k !== i && level[k]! <= level[i]! + SUPPORT;
    if (!supported) doubtful.push(i);
  }
  for (const i of doubtful) level[i] = Number.POSITIVE_INFINITY;
}

/** Lowest pair of each window, without those that other windows show to be late. */
function envelope(host: Float64Array, level: Float64Array, start: number, end: number): number[] {
  const width = Math.max(WINDOW, (host[end - 1]! - host[start]!) / MAX_WINDOWS);
  let lows: number[] = [];
  let window = -1;
  for (let i = start; i < end; i++) {
    const at = Math.floor((host[i]! - host[start]!) / width);
    if (at !== window) {
      window = at;
      lows.push(i);
    } else if (level[i]! < level[lows[lows.length - 1]!]!) lows[lows.length - 1] = i;
  }
  lows = lows.filter((i) => Number.isFinite(level[i]!));
  for (let sweep = 0; sweep < 2; sweep++) {
    const kept: number[] = [];
    for (const i of lows) {
      const last = kept[kept.length - 1];
      if (last === undefined || level[i]! - level[last]! <= WANDER * Math.abs(host[i]! - host[last]!) + TOLERANCE) {
        kept.push(i);
      }
    }
    lows = kept.reverse();
  }
  return lows;
}

/** The pair's time, and the envelope's level there. */
interface Knot {
  readonly at: number;
  readonly level: number;
}

/**
 * The knots of a piece from its first to its last pair: the envelope's, flat towards both ends, and every pair that lies
 * below the lines between them.
 */
function knotsOf(host: Float64Array, level: Float64Array, start: number, end: number): Knot[] {
  const lows = envelope(host, level, start, end).map((at): Knot => ({ at, level: level[at]! }));
  const first = lows[0]!;
  const last = lows[lows.length - 1]!;
  if (first.at > start) lows.unshift({ at: start, level: Math.min(first.level, level[start]!) });
  if (last.at < end - 1) lows.push({ at: end - 1, level: Math.min(last.level, level[end - 1]!) });
  const result: Knot[] = [];
  lows.forEach((knot, k) => {
    result.push(knot);
    const next = lows[k + 1];
    if (next !== undefined) dig(host, level, knot, next, result, 0);
  });
  return result;
}

/** Adds the pairs between two knots that lie below the line between them, lowest first, until none does. */
function dig(host: Float64Array, level: Float64Array, left: Knot, right: Knot, result: Knot[], depth: number): void {
  const apart = host[right.at]! - host[left.at]!;
  const slope = apart > 0 ? (right.level - left.level) / apart : 0;
  let lowest = -TOLERANCE;
  let at = -1;
  for (let i = left.at + 1; i < right.at; i++) {
    const gap = level[i]! - left.level - slope * (host[i]! - host[left.at]!);
    if (gap < lowest) {
      lowest = gap;
      at = i;
    }
  }
  if (at < 0 || depth >= MAX_DEPTH) return;
  const knot: Knot = { at, level: level[at]! };
  dig(host, level, left, knot, result, depth + 1);
  result.push(knot);
  dig(host, level, knot, right, result, depth + 1);
}

function createMap(host: Float64Array, knots: readonly Knot[], drift: number): ClockMap {
  const first = host[0]!;
  const hostKnots: number[] = [];
  const guestKnots: number[] = [];
  for (const knot of knots) {
    const time = host[knot.at]!;
    const mapped = time - drift * (time - first) - knot.level;
    const last = hostKnots.length - 1;
    if (last >= 0 && time <= hostKnots[last]!) continue;
    hostKnots.push(time);
    guestKnots.push(last >= 0 ? Math.max(mapped, guestKnots[last]!) : mapped);
  }
  return { host: Float64Array.from(hostKnots), guest: Float64Array.from(guestKnots), rate: 1 - drift };
}

/** Smallest, median, P99 and largest delay of the pairs under a mapping, ns. */
export function residuals(map: ClockMap, host: Float64Array, guest: Float64Array): ClockFit['residualNs'] {
  const toGuest = createClockMapper(map);
  const delays = new Float64Array(Math.min(host.length, guest.length));
  for (let i = 0; i < delays.length; i++) delays[i] = toGuest(host[i]!) - guest[i]!;
  delays.sort();
  const quantile = (q: number): number => delays[Math.min(delays.length - 1, Math.floor(q * delays.length))]!;
  return { min: quantile(0), median: quantile(0.5), p99: quantile(0.99), max: quantile(1) };
}
