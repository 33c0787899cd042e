import { IorrError } from '../../traces/errors.ts';
import type { ProfileParameter } from '../results.ts';
import { REACH_LEVELS } from './reach-caches.ts';
import type { ReachGeometry } from './reach-caches.ts';
import type { ReachCurve, ReachPoint } from './reach-curve.ts';
import { REACH_FAMILIES } from './reach-families.ts';
import type { ReachFamily } from './reach-families.ts';
import { simulatedLatency, simulatedThroughput } from './reach-model.ts';
import type { ReachMachine } from './reach-model.ts';
import { REACH_TOLERANCE, ReachSearch } from './reach-search.ts';
import type { ReachErrors, ReachValues } from './reach-search.ts';

/** A value that was fitted, with the range in which all points stay within tolerance while the others are held. */
export interface FittedValue {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** undefined where no value keeps all points within tolerance. */
  readonly interval: readonly [least: number, most: number] | undefined;
}

/** One measured figure and the model's. */
export interface ReachPointResult {
  /** Bytes. */
  readonly window: number;
  readonly what: 'throughput' | 'latency';
  /** `1/s` or `ns`. */
  readonly unit: string;
  readonly measured: number;
  readonly model: number;
  /** (model - measured) / measured. */
  readonly error: number;
  /** The fit saw this point; the others are predicted. */
  readonly fitted: boolean;
}

/** The best of one family, and what it leaves over. */
export interface FamilyResult {
  readonly name: string;
  readonly summary: string;
  readonly throughput: number;
  readonly latency: number;
  readonly within: boolean;
  readonly values: { readonly [name: string]: number };
}

export interface ReachResult {
  readonly series: string;
  readonly geometry: ReachGeometry & {
    readonly family: string;
    readonly entries: number;
    readonly levels: number;
    readonly inOrder: boolean;
  };
  /** At most four. */
  readonly fitted: readonly FittedValue[];
  /** Values that the curve or the family gives: nothing was fitted. */
  readonly given: readonly { readonly name: string; readonly value: number | undefined; readonly from: string }[];
  readonly points: readonly ReachPointResult[];
  /** Largest |error| of all points, and by kind. */
  readonly maxError: number;
  readonly maxErrors: { readonly throughput: number; readonly latency: number };
  readonly tolerance: typeof REACH_TOLERANCE;
  /** Every point is within tolerance. */
  readonly within: boolean;
  readonly families: readonly FamilyResult[];
  /** What the fit says and does not say. */
  readonly notes: readonly string[];
  /** The same as parameters of hardware and costs. */
  readonly parameters: readonly ProfileParameter[];
}

export interface ReachFitOptions {
  readonly seed: number;
  /** Families by name; all if not given. */
  readonly families?: readonly string[];
  /** Windows that are fitted; all if not given. The others are predicted by what these say. */
  readonly windows?: readonly number[];
  readonly signal?: AbortSignal;
  readonly progress?: (done: number) => void;
}

/** How many families a fit goes through. */
export const REACH_FAMILY_COUNT: number = REACH_FAMILIES.length;

const FLAT_NOTE =
  'no window is slower than the smaller ones: the IOTLB reaches further than the curve; entries are a lower bound, walks and walkers are not told';
const LEAST_WINDOWS = 3;
const SEARCH_READS = 3000;
const COMPARE_READS = 20_000;
const POLISH_READS = 10_000;
const FINAL_READS = 100_000;
/** The IOMMU-off series serves as base where it is no further than this from the IOMMU-on one in the smallest window. */
const SAME_BASE = 0.05;
/** A family must be better than the simplest one by this part of the tolerance to be taken in its place. */
const CLEARLY = 0.1;
/** A family is tried again from the best values of all unless its own are so many times worse. */
const STUCK = 2;
const UNITS: { readonly [N in keyof ReachValues]: string } = {
  entries: 'entries',
  pointers: 'entries',
  walkers: 'walks',
  walkReadNs: 'ns',
  outstanding: 'reads',
  hitNs: 'ns',
};
const NAMES: { readonly [N in keyof ReachValues]: string } = {
  entries: 'iotlb.entries',
  pointers: 'walk-cache.l1',
  walkers: 'walkers',
  walkReadNs: 'walk.read',
  outstanding: 'device.outstanding',
  hitNs: 'device.hit',
};

/**
 * Finds the one geometry and the at most four values with which the model gives a measured reach curve, throughput and latency
 * alike, best. Same curve and seed give the same result. `undefined` if it was aborted.
 */
export async function fitReach(curve: ReachCurve, options: ReachFitOptions): Promise<ReachResult | undefined> {
  const { points, offUsed } = withBase(curve.points);
  const fittedPoints = chosenPoints(points, options.windows);
  const chosen = REACH_FAMILIES.filter(({ name }) => options.families?.includes(name) ?? true);
  if (chosen.length === 0) {
    throw new IorrError('USAGE', 'no such family', { hint: REACH_FAMILIES.map(({ name }) => name).join('; ') });
  }
  const found: Found[] = [];
  const rates = points.some((point) => point.transactionsPerSecond !== undefined);
  const applicable = chosen.filter((family) => rates || !(family.link || family.walkers !== undefined));
  if (new ReachSearch(chosen[0]!, fittedPoints, options.seed).flat) applicable.length = 1; // chosen is not empty
  for (const [done, family] of applicable.entries()) {
    // lets a signal through
    await new Promise((resolve) => setImmediate(resolve));
    if (options.signal?.aborted === true) return undefined;
    const search = new ReachSearch(family, fittedPoints, options.seed);
    found.push(measuredFit(search, search.best(SEARCH_READS, Math.min(...found.map(({ errors }) => errors.score)))));
    options.progress?.(done + 1);
  }
  const leader = leaderOf(found);
  // what served one family may serve another that got stuck
  for (const [i, { search, errors }] of found.entries()) {
    const simpler = i < found.indexOf(leader) && errors.score > leader.errors.score + CLEARLY;
    if (errors.score > STUCK * Math.max(1, leader.errors.score) || (errors.score <= 1 && !simpler)) continue;
    if (options.signal?.aborted === true) return undefined;
    const again = measuredFit(search, search.improve(leader.values, SEARCH_READS, leader.search));
    if (again.errors.score < errors.score) found[i] = again;
  }
  const best = leaderOf(found);
  const polished = measuredFit(best.search, best.search.improve(best.values, POLISH_READS));
  const { search, values } = polished.errors.score < best.errors.score ? polished : best;
  const all = { points, fitted: new Set(fittedPoints.map((point) => point.window)), offUsed };
  return assemble(curve, all, search, values, found, options.seed);
}

/** All points of a curve, and the windows of those that were fitted. */
interface FitPoints {
  readonly points: readonly ReachPoint[];
  readonly fitted: ReadonlySet<number>;
  readonly offUsed: boolean;
}

/** The points of some windows. Throws `USAGE` for a window that was not measured, or too few. */
function chosenPoints(points: readonly ReachPoint[], windows: readonly number[] | undefined): readonly ReachPoint[] {
  if (windows === undefined) return points;
  const missing = windows.find((window) => !points.some((point) => point.window === window));
  const chosen = points.filter((point) => windows.includes(point.window));
  if (missing === undefined && chosen.length >= LEAST_WINDOWS) return chosen;
  const what =
    missing === undefined ? `${chosen.length} windows; ${LEAST_WINDOWS} are needed` : `no window of ${missing}`;
  throw new IorrError('USAGE', what, { hint: `the curve has ${points.map((point) => point.window).join(', ')}` });
}

interface Found {
  readonly search: ReachSearch;
  readonly values: ReachValues;
  readonly errors: ReachErrors;
}

function measuredFit(search: ReachSearch, values: ReachValues): Found {
  return { search, values, errors: search.errors(values, COMPARE_READS) };
}

/** The first that is not clearly worse than the best: families come with the simplest first. */
function leaderOf(found: readonly Found[]): Found {
  const least = Math.min(...found.map(({ errors }) => errors.score));
  return found.find(({ errors }) => errors.score <= least + CLEARLY) ?? found[0]!; // one has the least
}

/** Drops the IOMMU-off times if they are of another base: a host cache that was not as warm, for example. */
function withBase(points: readonly ReachPoint[]): { points: readonly ReachPoint[]; offUsed: boolean } {
  const first = points.find((point) => point.averageNs !== undefined && point.offNs !== undefined);
  const offUsed =
    first !== undefined && Math.abs((first.offNs ?? 0) / (first.averageNs ?? 1) - 1) <= SAME_BASE && points.every(has);
  return { points: offUsed ? points : points.map((point) => ({ ...point, offNs: undefined })), offUsed };
}

function has(point: ReachPoint): boolean {
  return point.averageNs === undefined || point.offNs !== undefined;
}

function assemble(
  curve: ReachCurve,
  { points, fitted: fittedWindows, offUsed }: FitPoints,
  search: ReachSearch,
  values: ReachValues,
  found: readonly Found[],
  seed: number,
): ReachResult {
  const machine = search.machine(values);
  const results = pointResults(machine, points, fittedWindows, seed);
  const most = (what: string): number =>
    Math.max(0, ...results.filter((point) => point.what === what).map(({ error }) => Math.abs(error)));
  const maxErrors = { throughput: most('throughput'), latency: most('latency') };
  const within = maxErrors.throughput <= REACH_TOLERANCE.throughput && maxErrors.latency <= REACH_TOLERANCE.latency;
  const fitted = search.fitted.map((name) => ({
    name: NAMES[name],
    value: round(values[name]),
    unit: UNITS[name],
    interval: within ? interval(search, values, name) : undefined,
  }));
  const families = found.map(({ search: { family, fitted: names }, values: its, errors }) => ({
    name: family.name,
    summary: family.summary,
    throughput: errors.throughput,
    latency: errors.latency,
    within: errors.score <= 1,
    values: Object.fromEntries(names.map((name) => [NAMES[name], round(its[name])])),
  }));
  const measured = { rates: results.some(isRate), latencies: results.some((point) => !isRate(point)) };
  const { family } = search;
  return {
    series: curve.series,
    geometry: {
      family: family.name,
      entries: machine.geometry.sets * machine.geometry.ways,
      ...machine.geometry,
      levels: REACH_LEVELS,
      inOrder: family.inOrder,
    },
    fitted,
    given: givenValues(search, values, offUsed, measured),
    points: results,
    maxError: Math.max(maxErrors.throughput, maxErrors.latency),
    maxErrors,
    tolerance: REACH_TOLERANCE,
    within,
    families,
    notes: search.flat ? [FLAT_NOTE] : notes(families, family, measured, within),
    parameters: parameters(machine, search, values, curve.series),
  };
}

function isRate(point: ReachPointResult): boolean {
  return point.what === 'throughput';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function pointResults(
  machine: ReachMachine,
  points: readonly ReachPoint[],
  windows: ReadonlySet<number>,
  seed: number,
): ReachPointResult[] {
  const results: ReachPointResult[] = [];
  const add = (point: ReachPoint, what: ReachPointResult['what'], measured: number, model: number): void => {
    const unit = what === 'latency' ? 'ns' : '1/s';
    const fitted = windows.has(point.window);
    results.push({ window: point.window, what, unit, measured, model, error: model / measured - 1, fitted });
  };
  for (const point of points) {
    const { transactionsPerSecond: rate, averageNs } = point;
    if (rate !== undefined) add(point, 'throughput', rate, simulatedThroughput(machine, point, FINAL_READS, seed));
    if (averageNs !== undefined) add(point, 'latency', averageNs, simulatedLatency(machine, point, FINAL_READS, seed));
  }
  return results;
}

/** How far one value can go, the others held, before a point leaves its tolerance. */
function interval(
  search: ReachSearch,
  values: ReachValues,
  name: keyof ReachValues,
): readonly [number, number] | undefined {
  if (search.errors(values, POLISH_READS).score > 1) return undefined;
  const whole = UNITS[name] !== 'ns';
  const unit = name === 'entries' ? Math.max(1, search.family.ways) : 1;
  const end = (sign: number): number => {
    let last = values[name];
    for (let i = 1; i <= MOST_STEPS; i++) {
      const next = whole ? values[name] + sign * i * unit : values[name] * (1 + sign * i * 0.005);
      if (next <= 0 || search.errors({ ...values, [name]: next }, POLISH_READS).score > 1) break;
      last = next;
    }
    return round(last);
  };
  return [end(-1), end(1)];
}

const MOST_STEPS = 24;

interface Measured {
  readonly rates: boolean;
  readonly latencies: boolean;
}

function givenValues(
  search: ReachSearch,
  values: ReachValues,
  offUsed: boolean,
  { rates, latencies }: Measured,
): ReachResult['given'] {
  const { family, fitted } = search;
  const given: { name: string; value: number | undefined; from: string }[] = [];
  if (offUsed) given.push({ name: NAMES.hitNs, value: undefined, from: 'measured in each window with the IOMMU off' });
  else if (!fitted.includes('hitNs')) {
    const from = latencies ? 'the lowest latency' : 'assumed: the curve has no latencies';
    given.push({ name: NAMES.hitNs, value: values.hitNs, from });
  }
  if (rates && family.link) {
    given.push({ name: 'device.request', value: round(search.machine(values).requestNs), from: 'the highest rate' });
  }
  if (search.flat) {
    const from = 'no window is slower: at least so many';
    given.push({ name: NAMES.entries, value: values.entries, from });
  } else if (rates && !fitted.includes('walkers') && family.walkers === undefined) {
    given.push({ name: NAMES.walkers, value: values.walkers, from: 'the lowest rate by the time of a walk' });
  }
  if (rates && !fitted.includes('outstanding')) {
    const from = "Little's law: time without a walk by the highest rate";
    given.push({ name: NAMES.outstanding, value: values.outstanding, from });
  }
  if (family.entries !== undefined) given.push({ name: NAMES.entries, value: family.entries, from: 'the family' });
  if (rates && family.walkers !== undefined) {
    given.push({ name: NAMES.walkers, value: family.walkers, from: 'the family' });
  }
  if (!rates && latencies) given.push({ name: NAMES.walkers, value: undefined, from: 'single reads do not tell' });
  return given;
}

function notes(
  families: readonly FamilyResult[],
  best: ReachFamily,
  { rates, latencies }: Measured,
  within: boolean,
): readonly string[] {
  const list: string[] = [];
  const alike = families.filter((family) => family.within && family.name !== best.name).map(({ name }) => name);
  const out = families.filter((family) => !family.within).map(({ name }) => name);
  if (!within) list.push('no geometry of these families gives all points within tolerance; the best is shown');
  if (alike.length > 0) list.push(`the curve does not tell it from: ${alike.join('; ')}`);
  if (within && out.length > 0) list.push(`no values within tolerance were found for: ${out.join('; ')}`);
  list.push(
    'uniform random reads hit alike under LRU, FIFO, tree PLRU and random replacement: the curve tells none of them',
  );
  if (!rates) list.push('latencies alone: outstanding reads, order and parallel walks stay unknown');
  if (!latencies) list.push('rates alone: times are known only as far as they bound the rate');
  return list;
}

function parameters(
  { geometry, walkers, walkReadNs, outstanding, inOrder, requestNs }: ReachMachine,
  search: ReachSearch,
  values: ReachValues,
  series: string,
): readonly ProfileParameter[] {
  const source = `calibrate --reach${series === '' ? '' : `, ${series.slice(0, 120)}`}`;
  const { fitted } = search;
  const of = (name: string, value: number, unit: string, isFitted: boolean): ProfileParameter => {
    return { name, value, unit, source, standing: isFitted ? 'fitted' : 'assumed' };
  };
  const entries = fitted.includes('entries');
  const [l1, l2, l3] = geometry.walkCaches;
  return [
    of('iotlb.sets', geometry.sets, 'sets', entries),
    of('iotlb.ways', geometry.ways, 'ways', entries),
    of('iotlb.hashed', geometry.index, '0 low bits, 1 mixed, 2 folded', false),
    of('iotlb.replacement', geometry.replacement, '0 LRU, 1 tree PLRU, 2 FIFO, 3 random', false),
    of('page-table.levels', REACH_LEVELS, 'levels', false),
    of('walk-cache.l1', l1, 'entries', fitted.includes('pointers')),
    of('walk-cache.l2', l2, 'entries', false),
    of('walk-cache.l3', l3, 'entries', false),
    of('walkers', walkers, 'walks', fitted.includes('walkers')),
    of('walk.read', round(walkReadNs), 'ns', fitted.includes('walkReadNs')),
    of('device.outstanding', outstanding, 'reads', fitted.includes('outstanding')),
    of('device.in-order', inOrder ? 1 : 0, 'flag', false),
    of('device.request', round(requestNs), 'ns', false),
    of('device.hit', round(values.hitNs), 'ns', fitted.includes('hitNs')),
  ];
}
