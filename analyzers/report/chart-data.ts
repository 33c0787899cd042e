import type { RecordedResult, ReplayResult, TimeSeries } from '../../replay/results.ts';
import type { CompareReport } from './envelope.ts';
import { comparedRows, valueOf } from './comparison.ts';
import type { ComparedRow } from './comparison.ts';
import { printable } from './escape.ts';
import { metricsOf } from './metrics.ts';
import { lineStyle } from './line-styles.ts';
import type { LineStyle } from './line-styles.ts';

/** Points of one line at most: more than a chart has pixels is only weight. */
export const MAX_POINTS = 1000;
/** Phases drawn at most; a trace may hold any number of marks. */
export const MAX_PHASES = 200;

/** What the charts are drawn from. */
type Compared = Pick<CompareReport, 'result'>;

export type Points = readonly (number | null)[];

export interface ChartRow {
  readonly label: string;
  readonly recorded: boolean;
  readonly style: LineStyle;
  /** A mark at each point. */
  readonly marks?: boolean;
  /** Filled down to the axis. */
  readonly area?: boolean;
}

export interface TimeChartData {
  /** Middle of each bin, in seconds of the trace. */
  readonly x: readonly number[];
  readonly binNs: number;
  /** By row, then by bin; per second. A row that was not seen there has `null`. */
  readonly commands: readonly Points[];
  readonly syncs: readonly Points[];
  /** 0 to 100; `null` where there was no lookup. The whole is null where it is unknown for every row. */
  readonly hitRate: readonly Points[] | null;
  readonly exposed: readonly Points[] | null;
  /** 0 to 100, of the busiest queue; null where no row has modelled time. */
  readonly utilisation: readonly Points[] | null;
}

export interface ExposureChartData {
  /** Bucket i counts durations in [2^i, 2^(i+1)) ns; the first and last that any row fills. */
  readonly first: number;
  readonly last: number;
  /** By row, from bucket `first` to `last`. */
  readonly pages: readonly (readonly number[])[];
}

export interface PhaseData {
  /** Seconds of the trace. */
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

/** What the report's script draws; plain data, embedded as JSON. */
export interface ChartData {
  readonly rows: readonly ChartRow[];
  readonly time: TimeChartData | null;
  readonly exposure: ExposureChartData | null;
  readonly phases: readonly PhaseData[];
  /** Seconds from the first to the last mark, where nearly all work lies between: charts begin with this part. */
  readonly focus: readonly [from: number, to: number] | null;
}

/** The common grid of all rows: whole bins of the coarsest series, few enough to draw. */
interface Grid {
  readonly startNs: number;
  readonly binNs: number;
  readonly bins: number;
}

function commonGrid(all: readonly TimeSeries[]): Grid | null {
  const some = all.filter((series) => series.commands.length > 0 && series.binNs > 0);
  if (some.length === 0) return null;
  const startNs = Math.min(...some.map((series) => series.startNs));
  const endNs = Math.max(...some.map((series) => series.startNs + series.commands.length * series.binNs));
  const finest = Math.max(...some.map((series) => series.binNs));
  const binNs = finest * Math.max(1, Math.ceil((endNs - startNs) / finest / MAX_POINTS));
  return { startNs, binNs, bins: Math.ceil((endNs - startNs) / binNs) };
}

/** Bin by bin the fold of what falls into it; `null` where nothing does. */
function onGrid(
  grid: Grid,
  series: Pick<TimeSeries, 'startNs' | 'binNs'>,
  values: readonly number[],
  fold: (a: number, b: number) => number,
): (number | null)[] {
  const out: (number | null)[] = new Array<number | null>(grid.bins).fill(null);
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor((series.startNs - grid.startNs + (i + 0.5) * series.binNs) / grid.binNs);
    const value = values[i] ?? 0;
    const before = out[bin];
    if (before === undefined) continue;
    out[bin] = before === null ? value : fold(before, value);
  }
  return out;
}

function add(a: number, b: number): number {
  return a + b;
}

/** Four significant digits: what a pixel can show, in a third of the bytes. */
function short(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}

function timeData(report: Compared): TimeChartData | null {
  const rows = comparedRows(report.result);
  const grid = commonGrid(rows.map((row) => row.design.series));
  if (grid === null) return null;
  const perSecond = grid.binNs / 1e9;
  const rate = (pick: (series: TimeSeries) => readonly number[]): readonly Points[] =>
    rows.map(({ design }) =>
      onGrid(grid, design.series, pick(design.series), add).map((value) =>
        short(value === null ? null : value / perSecond),
      ),
    );
  const known = {
    cache: rows.some((row) => row.design.iotlb !== null),
    exposure: rows.some((row) => row.design.exposure !== null),
  };
  const nothing = (): null[] => new Array<null>(grid.bins).fill(null);
  const [syncs] = metricsOf('syncs');
  const hitRate = rows.map(({ design }) => {
    if (design.iotlb === null) return nothing();
    const lookups = onGrid(grid, design.series, design.series.lookups, add);
    const hits = onGrid(grid, design.series, design.series.hits, add);
    return lookups.map((count, i) => (count === null || count === 0 ? null : short(((hits[i] ?? 0) / count) * 100)));
  });
  const exposed = rows.map(({ design }) =>
    design.exposure === null ? nothing() : onGrid(grid, design.series, design.series.exposedPages, Math.max).map(short),
  );
  return {
    x: Array.from({ length: grid.bins }, (_, i) =>
      Number(((grid.startNs + (i + 0.5) * grid.binNs) / 1e9).toPrecision(12)),
    ),
    binNs: grid.binNs,
    commands: rate((series) => series.commands),
    // What a recording did not see is no line of zeros.
    syncs: rate((series) => series.syncs).map((line, i) => {
      const row = rows[i];
      return row !== undefined && syncs !== undefined && valueOf(syncs, row) === null ? nothing() : line;
    }),
    hitRate: known.cache ? hitRate : null,
    exposed: known.exposure ? exposed : null,
    utilisation: utilisationData(rows, grid),
  };
}

/** Of each bin the share in which the busiest queue of the row worked. */
function utilisationData(rows: readonly ComparedRow[], grid: Grid): readonly Points[] | null {
  const lines = rows.map((row) => {
    const queues = row.recorded ? [] : row.design.time.queues;
    const [busiest] = [...queues].sort((a, b) => b.utilisation - a.utilisation || a.unit - b.unit || a.index - b.index);
    if (busiest === undefined) return new Array<null>(grid.bins).fill(null);
    const { series } = busiest;
    const worked = series.utilisation.map((share) => share * series.binNs);
    return onGrid(grid, series, worked, add).map((ns) =>
      short(ns === null ? null : Math.min(100, (ns / grid.binNs) * 100)),
    );
  });
  return lines.some((line) => line.some((value) => value !== null)) ? lines : null;
}

function exposureData(report: Compared): ExposureChartData | null {
  const histograms = comparedRows(report.result).map((row) => row.design.exposure?.histogram ?? []);
  const filled = histograms.flatMap((histogram) => histogram.flatMap((pages, bucket) => (pages > 0 ? [bucket] : [])));
  if (filled.length === 0) return null;
  const first = Math.min(...filled);
  const last = Math.min(63, Math.max(...filled));
  const length = last - first + 1;
  return {
    first,
    last,
    pages: histograms.map((histogram) => Array.from({ length }, (_, i) => histogram[first + i] ?? 0)),
  };
}

/** `lab: ` where every mark begins with it: said once it says nothing. */
function commonPrefix(texts: readonly string[]): string {
  const prefix = /^[\w.-]+:\s+/.exec(texts[0] ?? '')?.[0] ?? '';
  return texts.length > 1 && texts.every((text) => text.startsWith(prefix) && text.length > prefix.length)
    ? prefix
    : '';
}

/** Each mark begins a phase that lasts until the next mark, or until the end of the charts. */
export function phasesOf(report: Compared): readonly PhaseData[] {
  const marks = [...report.result.marks].sort((a, b) => a.t - b.t);
  const prefix = commonPrefix(marks.map((mark) => mark.text));
  const grid = commonGrid(comparedRows(report.result).map((row) => row.design.series));
  const endNs = grid === null ? report.result.durationNs : grid.startNs + grid.bins * grid.binNs;
  return marks.slice(0, MAX_PHASES).map((mark, i) => ({
    from: mark.t / 1e9,
    to: Math.max(mark.t, marks[i + 1]?.t ?? endNs) / 1e9,
    name: printable(mark.text.slice(prefix.length), 80),
  }));
}

/** Share of the commands that has to lie between the marks before the charts begin there. */
const FOCUS_SHARE = 0.9;
/** A part that is hardly smaller than the whole is no help. */
const FOCUS_MOST = 0.85;

function focusOf(report: Compared, time: TimeChartData | null): ChartData['focus'] {
  const marks = report.result.marks.map((mark) => mark.t / 1e9);
  const [first, last] = [time?.x[0], time?.x.at(-1)];
  if (time === null || marks.length < 2 || first === undefined || last === undefined) return null;
  const begin = Math.min(...marks.slice(0, MAX_PHASES));
  const end = Math.max(...marks.slice(0, MAX_PHASES));
  const edge = (end - begin) * 0.02;
  const range = [Math.max(first, begin - edge), Math.min(last, end + edge)] as const;
  if (range[1] - range[0] <= 0 || range[1] - range[0] > (last - first) * FOCUS_MOST) return null;
  let all = 0;
  let inside = 0;
  for (const line of time.commands) {
    line.forEach((rate, i) => {
      const x = time.x[i] ?? 0;
      all += rate ?? 0;
      if (x >= range[0] && x <= range[1]) inside += rate ?? 0;
    });
  }
  return inside >= all * FOCUS_SHARE ? range : null;
}

export function chartData(report: Compared): ChartData {
  const time = timeData(report);
  return {
    rows: comparedRows(report.result).map(({ label, recorded, number }) => ({
      label,
      recorded,
      style: lineStyle(number, recorded),
    })),
    time,
    exposure: exposureData(report),
    phases: phasesOf(report),
    focus: focusOf(report, time),
  };
}

/** Charts of a replay: those of a comparison in which there is nothing but what was recorded. */
export function replayCharts(replay: ReplayResult): ChartData {
  const { hardware, events, durationNs, syncs } = replay;
  const { commands, commandsByType, iotlb, exposure, stale, wasted, series } = replay;
  const recorded: RecordedResult = {
    name: 'as recorded',
    path: '',
    unmaps: 0,
    commands,
    commandsByType,
    syncs,
    doorbells: null,
    exits: null,
    ioctls: null,
    cpuNs: null,
    stallNs: null,
    iotlb,
    exposure,
    stale,
    wasted,
    series,
  };
  const nothing = { designs: [], marks: [], parameters: [], caveats: [] };
  const result = { hardware, profile: '', access: 'recorded', events, durationNs, recorded, ...nothing };
  const data = chartData({ result });
  return { ...data, rows: [{ label: 'as recorded', recorded: false, style: lineStyle(0, false) }] };
}
