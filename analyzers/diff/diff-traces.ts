import { replayTrace } from '../../replay/engine/replay.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import type { ReplayResult } from '../../replay/results.ts';
import { IorrError } from '../../traces/errors.ts';
import type { Trace } from '../../traces/trace.ts';
import type { DiffMetric, MetricFamily } from './diff-metric.ts';
import { METRIC_FAMILIES } from './diff-metrics.ts';
import type { DiffMetricResult, MissingMetrics } from './diff-result.ts';
import { judge } from './judge.ts';
import type { Measured } from './judge.ts';
import { measureChange } from './measure-change.ts';
import type { ResamplingOptions } from './measure-change.ts';
import { alignCells } from './strata.ts';
import { WORK_UNITS, readTraceWork } from './trace-work.ts';
import type { TraceWork, WorkUnit } from './trace-work.ts';
import type { WorkCells } from './work-cells.ts';

/** One side of a comparison: what a trace did, and, where it can be played, what a model of its hardware made of that. */
export interface DiffSide {
  readonly work: TraceWork;
  readonly replay: ReplayedSide | null;
}

export interface ReplayedSide {
  /** Stretches of time. */
  readonly cells: WorkCells;
  /** Null of a part of a trace: a part can't be played by itself. */
  readonly result: ReplayResult | null;
}

/** How two traces are compared. */
export interface DiffTracesOptions extends ResamplingOptions {
  /** Hardware to replay on; undefined: no replay. */
  readonly hardware: ((trace: Trace) => HardwareProfile) | undefined;
  /** Called between passes. */
  readonly progress?: (done: number) => void;
}

/** What two traces differ in, metric by metric. */
export interface TraceComparison {
  readonly alignment: string;
  readonly sameWork: boolean;
  readonly metrics: readonly DiffMetricResult[];
  readonly missing: readonly MissingMetrics[];
  readonly caveats: readonly string[];
}

/** The finest measure of work that both traces have. Throws `FORMAT_EMPTY`, `STREAM_MISSING`. */
export function sharedUnit(a: Trace, b: Trace): WorkUnit {
  for (const [name, trace] of [
    ['the first trace', a],
    ['the second trace', b],
  ] as const) {
    if (trace.eventCount === 0) {
      throw new IorrError('FORMAT_EMPTY', `${name} has no events: nothing can be compared`, {
        hint: 'iorr info tells what a trace holds',
      });
    }
  }
  const unit = WORK_UNITS.find((one) => a.streamCounts[one] > 0 && b.streamCounts[one] > 0);
  if (unit !== undefined) return unit;
  const has = (trace: Trace): string =>
    Object.entries(trace.streamCounts)
      .filter(([, count]) => count > 0)
      .map(([name]) => name)
      .join(', ');
  throw new IorrError(
    'STREAM_MISSING',
    `no stream of both traces counts work: the first has ${has(a)}, the second ${has(b)}`,
    { hint: `one of ${WORK_UNITS.join(', ')} is needed in both` },
  );
}

/** A replay needs what devices accessed and what was mapped for them. */
function canReplay({ streamCounts }: Trace): boolean {
  return streamCounts.dma > 0 && streamCounts.map > 0;
}

/** Reads both traces. Throws `FORMAT_EMPTY`, `STREAM_MISSING`, and what reading throws. */
export function diffTraces(a: Trace, b: Trace, options: DiffTracesOptions): TraceComparison {
  const unit = sharedUnit(a, b);
  const { progress } = options;
  const hardware = canReplay(a) && canReplay(b) ? options.hardware : undefined;
  const left = readSide(a, unit, hardware);
  progress?.(1);
  const right = readSide(b, unit, hardware);
  progress?.(2);
  return compareSides(left, right, unit, options);
}

/** Reads one trace. Throws what reading and replaying throw. */
export function readSide(trace: Trace, unit: WorkUnit, hardware: DiffTracesOptions['hardware']): DiffSide {
  const work = readTraceWork(trace, unit);
  if (hardware === undefined || !canReplay(trace)) return { work, replay: null };
  const result = replayTrace(trace, { hardware: hardware(trace) });
  return { work, replay: { cells: replayCells(result), result } };
}

/** Compares what was read. */
export function compareSides(a: DiffSide, b: DiffSide, unit: WorkUnit, options: ResamplingOptions): TraceComparison {
  const sameWork =
    a.work.workEvents > 0 && a.work.workEvents === b.work.workEvents && a.work.workHash === b.work.workHash;
  const strata = alignCells(a.work.cells, b.work.cells);
  const measured: Measured[] = [];
  const missing: MissingMetrics[] = [];
  for (const family of METRIC_FAMILIES) {
    const why = unseen(family, a.work, b.work);
    if (why !== undefined) {
      missing.push({ family: family.name, why });
      continue;
    }
    if (family.metrics({ quantities: new Set(), samples: new Set() }).some(isReplayed)) {
      if (a.replay === null || b.replay === null) continue;
      const [left, right] = [a.replay.cells, b.replay.cells];
      const whole = alignCells(left, right);
      for (const metric of family.metrics(sourcesOf(left, right))) {
        const one = measureChange(metric, left, right, whole, sameWork, options);
        if (one !== undefined) measured.push(one);
      }
      const [resultA, resultB] = [a.replay.result, b.replay.result];
      if (resultA !== null && resultB !== null) {
        measured.push(...replayTotals(resultA, resultB, a.work, b.work, sameWork));
      }
      continue;
    }
    const [left, right] = [a.work.cells, b.work.cells];
    const oneSided: string[] = [];
    for (const metric of family.metrics(sourcesOf(left, right))) {
      if (!hasAny(metric, left, right)) continue;
      if (!comparable(metric, family, a.work, b.work)) {
        oneSided.push(metric.name);
        continue;
      }
      const one = measureChange(metric, left, right, strata, sameWork, options);
      if (one !== undefined) measured.push(one);
    }
    if (oneSided.length > 0) {
      missing.push({
        family: family.name,
        why: `${oneSided.join(', ')}: there in one trace alone, and the source of the other sees ${family.streams[0] ?? 'it'} only in part`,
      });
    }
  }
  return {
    alignment: alignmentText(a.work, b.work, strata.by, unit, strata.strata.length, sameWork),
    sameWork,
    metrics: judge(measured, options.threshold),
    missing,
    caveats: caveatsOf(a, b, strata, sameWork, unit),
  };
}

function isReplayed(metric: DiffMetric): boolean {
  return 'over' in metric && metric.over.startsWith('replay:');
}

function unseen({ streams }: MetricFamily, a: TraceWork, b: TraceWork): string | undefined {
  const lacks = streams.flatMap((stream) => {
    const [inA, inB] = [a.seen.has(stream), b.seen.has(stream)];
    if (inA && inB) return [];
    return [inA || inB ? `the ${inA ? 'second' : 'first'} trace has no ${stream}` : `neither trace has ${stream}`];
  });
  return lacks.length === 0 ? undefined : lacks.join(', ');
}

function sourcesOf(a: WorkCells, b: WorkCells): { quantities: ReadonlySet<string>; samples: ReadonlySet<string> } {
  const some = (cells: WorkCells): string[] =>
    [...cells.quantities].filter(([, values]) => values.some((value) => value > 0)).map(([name]) => name);
  return {
    quantities: new Set([...some(a), ...some(b)]),
    samples: new Set([...a.samples.keys(), ...b.samples.keys()]),
  };
}

function sumOf(cells: WorkCells, quantity: string): number {
  return cells.quantities.get(quantity)?.reduce((sum, value) => sum + value, 0) ?? 0;
}

function hasAny(metric: DiffMetric, a: WorkCells, b: WorkCells): boolean {
  if (!('over' in metric)) return a.samples.has(metric.samples) || b.samples.has(metric.samples);
  return sumOf(a, metric.over) + sumOf(b, metric.over) > 0;
}

/** Nothing of it in one trace means that there was nothing only where the source sees all of the stream. */
function comparable(metric: DiffMetric, { streams }: MetricFamily, a: TraceWork, b: TraceWork): boolean {
  const [stream] = streams;
  const there = (work: TraceWork): boolean => {
    if (stream !== undefined && work.full.has(stream) && 'over' in metric) return true;
    return 'over' in metric ? sumOf(work.cells, metric.over) > 0 : work.cells.samples.has(metric.samples);
  };
  return there(a) && there(b);
}

/** Stretches of time of a replay. */
function replayCells({ series }: ReplayResult): WorkCells {
  const { lookups, hits } = series;
  return {
    count: lookups.length,
    phase: new Int32Array(lookups.length),
    phases: [''],
    quantities: new Map([
      ['replay:lookups', Float64Array.from(lookups)],
      ['replay:misses', Float64Array.from(lookups, (count, i) => count - (hits[i] ?? 0))],
    ]),
    samples: new Map(),
  };
}

/** Figures of whole replays: one number each, without an interval unless the work was the same. */
function replayTotals(
  a: ReplayResult,
  b: ReplayResult,
  workA: TraceWork,
  workB: TraceWork,
  exact: boolean,
): Measured[] {
  const unmaps = (work: TraceWork): number => sumOf(work.cells, 'unmaps');
  const figures: readonly (readonly [
    string,
    string,
    number | null | undefined,
    number,
    number | null | undefined,
    number,
  ])[] = [
    [
      'exposure.pageSeconds/unmap',
      'page-seconds',
      a.exposure?.pageSeconds,
      unmaps(workA),
      b.exposure?.pageSeconds,
      unmaps(workB),
    ],
    ['stale/unmap', 'translations', a.stale?.translations, unmaps(workA), b.stale?.translations, unmaps(workB)],
    ['wasted/unmap', 'commands', a.wasted, unmaps(workA), b.wasted, unmaps(workB)],
    ['walkReads/lookup', 'reads', a.walkReads, a.iotlb?.lookups ?? 0, b.walkReads, b.iotlb?.lookups ?? 0],
  ];
  return figures.flatMap(([name, unit, overA, underA, overB, underB]) => {
    if (overA === null || overA === undefined || overB === null || overB === undefined) return [];
    if (underA === 0 || underB === 0) return [];
    const [left, right] = [overA / underA, overB / underB];
    const identical = overA === overB && underA === underB;
    const change = left === right ? 0 : left === 0 ? null : right / left - 1;
    // exposure is a time: how late the same commands came
    const sure = exact && !name.startsWith('exposure');
    return [
      {
        name,
        unit,
        better: 'less',
        kind: name.startsWith('exposure') ? 'time' : 'count',
        a: left,
        b: right,
        basis: identical ? 'identical' : sure ? 'exact' : 'none',
        interval: identical ? [0, 0] : sure ? [change, change] : null,
        noise: null,
        mannWhitney: null,
        pAbove: 1,
        pBelow: 1,
      },
    ];
  });
}

function alignmentText(
  a: TraceWork,
  b: TraceWork,
  by: 'marks' | 'work',
  unit: WorkUnit,
  strata: number,
  sameWork: boolean,
): string {
  const cells = `${a.cells.count} and ${b.cells.count} cells of equal numbers of ${unit} events`;
  if (sameWork) return `event by event: both did the same work; ${cells}`;
  return by === 'marks' ? `by ${strata} phases between marks that both have; ${cells}` : `by work done: ${cells}`;
}

/** Work per page or byte says more than work per call where calls are of different sizes. */
const DIFFERENT_SIZES = 0.05;

function caveatsOf(
  a: DiffSide,
  b: DiffSide,
  { onlyA, onlyB }: ReturnType<typeof alignCells>,
  sameWork: boolean,
  unit: WorkUnit,
): string[] {
  const caveats: string[] = [];
  const phases = (names: readonly string[]): string =>
    `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
  if (onlyA.length > 0) caveats.push(`Phases of the first trace alone are not compared: ${phases(onlyA)}.`);
  if (onlyB.length > 0) caveats.push(`Phases of the second trace alone are not compared: ${phases(onlyB)}.`);
  if (!sameWork) {
    caveats.push(
      'Each trace is one run: intervals tell how much a run varies within itself, not from run to run. Times are judged, but fail the gate only where --fail-on names them.',
    );
    const size = ({ work }: DiffSide): number => sumOf(work.cells, 'unmappedBytes') / sumOf(work.cells, 'unmaps');
    const change = size(b) / size(a) - 1;
    if (Math.abs(change) > DIFFERENT_SIZES) {
      caveats.push(
        `The work differs: an unmap of the second trace is of ${(change * 100).toFixed(1)} % more bytes; figures for each byte or page compare better than those for each unmap.`,
      );
    }
  }
  if (Math.min(a.work.cells.count, b.work.cells.count) < 16) {
    caveats.push(`A trace of so few ${unit} events hardly tells how much it varies.`);
  }
  const [left, right] = [a.replay?.result?.hardware, b.replay?.result?.hardware];
  if (left !== right) caveats.push(`Replayed on different hardware: ${left ?? 'none'} and ${right ?? 'none'}.`);
  return caveats;
}
