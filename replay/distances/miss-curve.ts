import type { Trace } from '../../traces/trace.ts';
import type { DomainId, RequesterId } from '../../traces/units.ts';
import { REPLAY_COLUMNS } from '../engine/replay.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { IotlbCounts } from '../results.ts';
import { curveSizes, reachOf } from './curve-sizes.ts';
import { CurveTally } from './curve-tally.ts';
import type { PageSample } from './page-sample.ts';
import { SampleError } from './sample-error.ts';
import { createStackDistances } from './stack-distances.ts';
import type { DistanceOptions, StackDistances } from './stack-distances.ts';

/** Entries that are followed: more, step by step, where a trace has more pages at a time. */
const CAPACITIES = [1 << 12, 1 << 16, 1 << 20] as const;
/** Of a sample of rate r, sizes below this many over r are not told: too few of their places are seen. */
const LEAST_SAMPLED = 10;
/** Devices and domains with curves of their own; lookups of the rest are only in the whole. */
const MOST_PARTS = 4096;

export interface MissCurveOptions {
  readonly hardware: HardwareProfile;
  /** Sizes to tell beside the usual ones. */
  readonly also?: readonly number[];
  /** Numbers of sets to follow, and their ways. */
  readonly sets?: readonly number[];
  readonly ways?: number;
  readonly sample?: PageSample;
}

/** One size of a fully associative IOTLB. */
export interface CurvePoint extends IotlbCounts {
  readonly entries: number;
  /** Standard error of `misses`, of a sample; null where all were counted. */
  readonly error: number | null;
}

/** What one device or domain adds to the misses of the whole. */
export interface CurvePart {
  readonly lookups: number;
  readonly compulsory: number;
  /** By the curve's points. */
  readonly misses: readonly number[];
}

export interface MissCurve {
  readonly lookups: number;
  /** Lookups that were followed. */
  readonly followed: number;
  readonly points: readonly CurvePoint[];
  readonly devices: readonly (CurvePart & { readonly rid: RequesterId })[];
  /** `domain` is -1 for lookups whose domain is not known. */
  readonly domains: readonly (CurvePart & { readonly domain: DomainId })[];
  readonly distances: StackDistances;
  /** Entries that were followed at most. */
  readonly capacity: number;
}

/**
 * Misses of every size of a fully associative IOTLB with least recently used replacement; in steps of a segment, each telling the
 * number of events done.
 */
export function* missCurveSteps(trace: Trace, options: MissCurveOptions): Generator<number, MissCurve> {
  for (const capacity of CAPACITIES) {
    const found = yield* curveOf(trace, options, capacity, capacity === CAPACITIES.at(-1));
    if (found !== undefined) return found;
  }
  throw new RangeError('the last capacity is taken as it is');
}

/** Stack distances of a trace, with as much room as its pages need; in steps of a segment. */
export function* distanceSteps(
  trace: Trace,
  options: Omit<DistanceOptions, 'capacity'>,
): Generator<number, StackDistances> {
  for (const capacity of CAPACITIES) {
    const distances = createStackDistances({ ...options, capacity });
    if (yield* playAll(trace, distances, capacity === CAPACITIES.at(-1))) return distances;
  }
  throw new RangeError('the last capacity is taken as it is');
}

/** False where the room was too small, unless it is the last. */
function* playAll(trace: Trace, distances: StackDistances, last: boolean): Generator<number, boolean> {
  let events = 0;
  for (const segment of trace.segments({ columns: REPLAY_COLUMNS, reuse: true })) {
    distances.play(segment);
    events += segment.count;
    if (!last && distances.evicted() > 0) return false;
    yield events;
  }
  return true;
}

function* curveOf(
  trace: Trace,
  { hardware, also = [], sample, ...sets }: MissCurveOptions,
  capacity: number,
  last: boolean,
): Generator<number, MissCurve | undefined> {
  const rate = sample?.rate ?? 1;
  const sizes = curveSizes(capacity / rate, also).filter((size) => rate === 1 || size * rate >= LEAST_SAMPLED);
  // a page of the sample stands for 1 / rate pages: its place is in the middle of theirs
  const reach = reachOf(sizes, capacity + 2, (depth) => (rate === 1 ? depth : (depth - 0.5) / rate));
  const all = new CurveTally(sizes.length);
  const byRid = new Map<RequesterId, CurveTally>();
  const byDomain = new Map<DomainId, CurveTally>();
  const errors = sample === undefined ? undefined : new SampleError(sizes.length, rate);
  const tallyOf = (map: Map<number, CurveTally>, key: number): CurveTally | undefined => {
    const known = map.get(key);
    if (known !== undefined || map.size >= MOST_PARTS) return known;
    const tally = new CurveTally(sizes.length);
    map.set(key, tally);
    return tally;
  };
  let lastRid = Number.NaN;
  let lastDomain = Number.NaN;
  let device: CurveTally | undefined;
  let owner: CurveTally | undefined;
  const distances = createStackDistances({
    hardware,
    capacity,
    ...sets,
    ...(sample === undefined ? {} : { sample }),
    onLookup: (rid, domain, depth, dropped, hash) => {
      // lookups of one device come in runs
      if (rid !== lastRid) device = tallyOf(byRid, rid);
      if (domain !== lastDomain) owner = tallyOf(byDomain, domain);
      lastRid = rid;
      lastDomain = domain;
      all.add(depth, dropped, reach);
      device?.add(depth, dropped, reach);
      owner?.add(depth, dropped, reach);
      errors?.add(hash, depth === 0 ? sizes.length : reach[depth]!);
    },
  });
  if (!(yield* playAll(trace, distances, last))) return undefined;
  const lookups = distances.lookups();
  const shown = usedSizes(sizes, all, also);
  const points = shown.map((at): CurvePoint => {
    const entries = sizes[at]!;
    if (errors === undefined) return { entries, ...all.at(at), error: null };
    return { entries, ...scaledCounts(all.at(at), lookups, rate), error: errors.of(at) };
  });
  const told = errors === undefined ? points : points.map((_, i) => withError(points, i, rate, all.lookups));
  const part = (tally: CurveTally): CurvePart => ({
    lookups: scaled(tally.lookups, rate),
    compulsory: scaled(tally.compulsory, rate),
    misses: shown.map((at) => scaled(tally.at(at).misses, rate)),
  });
  const sorted = <T extends CurvePart>(parts: readonly T[]): readonly T[] =>
    parts.toSorted((a, b) => b.lookups - a.lookups);
  return {
    lookups,
    followed: all.lookups,
    points: told,
    devices: sorted([...byRid].map(([rid, tally]) => ({ rid, ...part(tally) }))),
    domains: sorted([...byDomain].map(([domain, tally]) => ({ domain, ...part(tally) }))),
    distances,
    capacity,
  };
}

/**
 * The point with errors added that groups of the sample don't show. Of its place: of n pages so many are in the sample as a binomial
 * variable says, so depths are off by their share, for all lookups alike; how much that moves the misses is the slope of the curve
 * there. And of what is used most: it is in the sample or not by chance, which shows in how many lookups the sample has, and where
 * commands drop it, it misses often; half of that share of such misses is about what samples of skewed traces are off by.
 */
function withError(points: readonly CurvePoint[], at: number, rate: number, followed: number): CurvePoint {
  const point = points[at]!;
  const [before, after] = [points[at - 1] ?? point, points[at + 1] ?? point];
  const width = Math.log(after.entries / before.entries);
  const slope = width > 0 ? (before.misses - after.misses) / width : 0;
  const moved = slope * Math.sqrt((1 - rate) / (rate * point.entries));
  const hot = (Math.abs(1 - followed / (point.lookups * rate)) / 2) * point.causes.invalidation;
  return { ...point, error: Math.round(Math.hypot(point.error ?? 0, moved, hot)) };
}

/** Indexes of the sizes up to the first that no larger one beats, and of those that were asked for. */
function usedSizes(sizes: readonly number[], all: CurveTally, also: readonly number[]): readonly number[] {
  const misses = sizes.map((_, at) => all.at(at).misses);
  const fewest = misses.at(-1) ?? 0;
  const enough = misses.findIndex((count) => count === fewest);
  return sizes.map((_, at) => at).filter((at) => at <= enough + 1 || also.includes(sizes[at]!));
}

function scaled(count: number, rate: number): number {
  return rate === 1 ? count : Math.round(count / rate);
}

/**
 * Misses of a sample stand for 1 / rate as many; the rest of all lookups are hits. What is used most is in the sample or not by chance,
 * and hits nearly always: so its weight is taken from all lookups, not from the sample's.
 */
function scaledCounts(counts: IotlbCounts, lookups: number, rate: number): IotlbCounts {
  const { compulsory, capacity, invalidation } = counts.causes;
  const misses = Math.min(lookups, scaled(counts.misses, rate));
  const causes = {
    compulsory: Math.min(misses, scaled(compulsory, rate)),
    conflict: 0,
    invalidation: scaled(invalidation, rate),
    capacity: 0,
  };
  causes.capacity = capacity === 0 ? 0 : Math.max(0, misses - causes.compulsory - causes.invalidation);
  return { lookups, hits: lookups - misses, misses, causes };
}
