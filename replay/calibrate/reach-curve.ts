import { IorrError } from '../../traces/errors.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** What was measured in one window of uniform random reads; undefined: not measured. */
export interface ReachPoint {
  /** Bytes. */
  readonly window: number;
  readonly transactionsPerSecond: number | undefined;
  /** Of single reads, one under way at a time. */
  readonly averageNs: Nanoseconds | undefined;
  /** The same with the IOMMU off: what everything but translation takes in this window. */
  readonly offNs: Nanoseconds | undefined;
}

/** A reach curve: points by ascending window. */
export interface ReachCurve {
  readonly points: readonly ReachPoint[];
  /** Where in the file it stood: machine and cache state; empty for a plain list. */
  readonly series: string;
}

/** Which of the series of a file is meant; undefined: the one with an IOMMU, the device's reads warm in the host's caches. */
export interface ReachSeries {
  readonly machine?: string | undefined;
  readonly state?: string | undefined;
}

/** A curve file has this many bytes at most. */
export const MOST_CURVE_BYTES: number = 4 << 20;

const PAGE = 4096;
const MOST_POINTS = 256;
const LARGEST_WINDOW = 2 ** 34;
const LARGEST_RATE = 1e10;
const LONGEST_NS = 1e8;

/**
 * Reads a curve from JSON: either a list `[{window, transactionsPerSecond?, averageNs?, offNs?}]` (also as `points` of an object),
 * or the nested form of pcie-bench's figures, `{machine: {test: {cacheState: {window: figure}}}}`. `docs/calibrate.md` describes
 * both. Throws `FORMAT_UNKNOWN` for anything else, `USAGE` for a series that the file doesn't have.
 */
export function parseReachCurve(text: string, series: ReachSeries = {}): ReachCurve {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new IorrError('FORMAT_UNKNOWN', `no JSON: ${error instanceof Error ? error.message : String(error)}`, {
      hint: HINT,
    });
  }
  const plain = Array.isArray(document) ? document : isObject(document) ? document['points'] : undefined;
  if (Array.isArray(plain)) {
    if (series.machine !== undefined || series.state !== undefined) {
      throw new IorrError('USAGE', 'a plain list of points has no series to choose from', { hint: HINT });
    }
    return checked(plain.slice(0, MOST_POINTS + 1).map(pointOf), '');
  }
  if (isObject(document)) return nested(document, series);
  throw refusal('a list of points or an object of machines expected');
}

const HINT = 'docs/calibrate.md describes the formats of curves';

function refusal(what: string): IorrError {
  return new IorrError('FORMAT_UNKNOWN', what, { hint: HINT });
}

interface JsonObject {
  readonly [key: string]: unknown;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function pointOf(value: unknown, index: number): ReachPoint {
  if (!isObject(value)) throw refusal(`point ${index}: an object expected`);
  const where = `point ${index}`;
  return {
    window: windowOf(own(value, 'window'), where),
    transactionsPerSecond: figure(own(value, 'transactionsPerSecond'), LARGEST_RATE, `${where}: transactionsPerSecond`),
    averageNs: figure(own(value, 'averageNs'), LONGEST_NS, `${where}: averageNs`),
    offNs: figure(own(value, 'offNs'), LONGEST_NS, `${where}: offNs`),
  };
}

function windowOf(value: unknown, where: string): number {
  const window = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof window !== 'number' || !Number.isInteger(window) || window < 64 || window > LARGEST_WINDOW) {
    throw refusal(`${where}: window of 64 to ${LARGEST_WINDOW} bytes expected, got ${JSON.stringify(value)}`);
  }
  return window;
}

/** A positive number up to `most`; undefined where there is none. */
function figure(value: unknown, most: number, where: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value > 0 && value <= most) return value;
  throw refusal(`${where}: a number above 0, at most ${most}, expected, got ${JSON.stringify(value)}`);
}

function checked(points: readonly ReachPoint[], series: string): ReachCurve {
  if (points.length > MOST_POINTS) throw refusal(`more than ${MOST_POINTS} points`);
  const useful = points
    .filter((point) => point.transactionsPerSecond !== undefined || point.averageNs !== undefined)
    .sort((a, b) => a.window - b.window);
  const windows = new Set(useful.map((point) => point.window));
  if (windows.size < useful.length) throw refusal('a window is there twice');
  const pages = new Set(useful.map((point) => Math.ceil(point.window / PAGE)));
  if (pages.size < 4) {
    throw new IorrError('FORMAT_EMPTY', `a curve needs four windows of different page counts, got ${pages.size}`, {
      hint: 'measure from a few pages to well beyond the reach',
    });
  }
  return { points: useful, series };
}

/** `{machine: {test: {state: {window: figure}}}}`, tests named as pcie-bench does: `bw_..._rd_...`, `lat_..._rd_...`. */
function nested(document: JsonObject, series: ReachSeries): ReachCurve {
  const machines = Object.keys(document).filter((name) => isObject(document[name]));
  const extending = machines.find((name) => machines.some((other) => name.startsWith(`${other}-`)));
  const machine = choose(
    'machine',
    series.machine,
    machines,
    (name) => name.includes('iommu') || (name === extending && !machines.some((other) => other.includes('iommu'))),
  );
  const on = document[machine];
  if (!isObject(on)) throw refusal(`no machine ${machine}`);
  const rates = testOf(on, /^bw_.*_rd_/);
  const latencies = testOf(on, /^lat_.*_rd_/);
  const states = [...new Set([...Object.keys(rates ?? {}), ...Object.keys(latencies ?? {})])];
  const state = choose('state', series.state, states, (name) => name === 'DWarm');
  const rate = figuresOf(rates, state, 'transactions per second', LARGEST_RATE);
  const latency = figuresOf(latencies, state, 'average ns', LONGEST_NS);
  const off = offMachine(document, machines, machine);
  const offLatency = figuresOf(
    off === undefined ? undefined : testOf(off, /^lat_.*_rd_/),
    state,
    'average ns',
    LONGEST_NS,
  );
  const windows = [...new Set([...rate.keys(), ...latency.keys()])];
  const points = windows.slice(0, MOST_POINTS + 1).map((window) => ({
    window,
    transactionsPerSecond: rate.get(window),
    averageNs: latency.get(window),
    offNs: offLatency.get(window),
  }));
  return checked(points, `${machine} ${state}`);
}

function choose(
  what: string,
  wanted: string | undefined,
  names: readonly string[],
  best: (name: string) => boolean,
): string {
  if (wanted !== undefined) {
    if (names.includes(wanted)) return wanted;
    throw new IorrError('USAGE', `no ${what} '${wanted.slice(0, 80)}' in the curve file`, {
      hint: `it has ${names.slice(0, 20).join(', ').slice(0, 400)}`,
    });
  }
  const found = names.find(best) ?? names[0];
  if (found === undefined) throw refusal(`no ${what} in the curve file`);
  return found;
}

/** The machine whose name is the longest beginning of the other's: the same with its IOMMU off. */
function offMachine(document: JsonObject, machines: readonly string[], machine: string): JsonObject | undefined {
  const name = machines
    .filter((other) => other !== machine && machine.startsWith(`${other}-`) && !other.includes('iommu'))
    .sort((a, b) => b.length - a.length)[0];
  const found = name === undefined ? undefined : document[name];
  return isObject(found) ? found : undefined;
}

/** The random test of 64-byte reads, or the first of its kind. */
function testOf(machine: JsonObject, kind: RegExp): JsonObject | undefined {
  const names = Object.keys(machine).filter((name) => kind.test(name));
  const name = names.find((candidate) => candidate.endsWith('_64')) ?? names[0];
  const found = name === undefined ? undefined : machine[name];
  return isObject(found) ? found : undefined;
}

function figuresOf(test: JsonObject | undefined, state: string, what: string, most: number): Map<number, number> {
  const figures = new Map<number, number>();
  const series = test === undefined ? undefined : own(test, state);
  if (!isObject(series)) return figures;
  for (const [window, value] of Object.entries(series).slice(0, MOST_POINTS + 1)) {
    const plain = isObject(value) ? own(value, 'avg') : value;
    const number = figure(plain, most, `${state}, window ${window}: ${what}`);
    if (number !== undefined) figures.set(windowOf(window, state), number);
  }
  return figures;
}
