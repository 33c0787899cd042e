import uPlot from 'uplot';
import type { ChartRow } from '../chart-data.ts';
import type { Colours } from './theme.ts';

/** Height of plot and axes in CSS pixels; the width follows the page. */
const HEIGHT = 230;
const MIN_WIDTH = 240;
/** Room of the y axis: the same in all charts, so that their time axes lie below each other. */
const Y_AXIS = 58;

export interface ChartSpec {
  /** Name for screen readers. */
  readonly title: string;
  readonly rows: readonly ChartRow[];
  /** x values, then one array a row. */
  readonly x: readonly number[];
  readonly values: readonly (readonly (number | null)[])[];
  readonly xLog: boolean;
  readonly xRange: readonly [number, number];
  /** The part of the range that it begins with; null: all of it. */
  readonly focus: readonly [number, number] | null;
  /** Whole y range where it is fixed: 0 to 100 for shares. */
  readonly yRange?: readonly [number, number];
  readonly stepped: boolean;
  /** Points of a line are joined over places where only others have some. */
  readonly spanGaps?: boolean;
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
  /** A value in the legend, with its unit. */
  readonly formatValue: (value: number) => string;
  /** What the cursor stands on: a time, or a range of durations. */
  readonly describeX: (index: number) => string;
  /** Charts of one group share cursor and zoom. */
  readonly group: string;
  readonly topPadding: number;
  readonly plugins: readonly uPlot.Plugin[];
  readonly logY: boolean;
  /** A plugin draws instead of lines: the values are only told. */
  readonly bare?: boolean;
  /** Room of the y axis in CSS pixels, where its labels are long. */
  readonly yRoom?: number;
  /** The ticks of the y axis, where they are not round numbers. */
  readonly ySplits?: readonly number[];
  /** Round values of the y axis are powers of two: bytes. */
  readonly binaryY?: boolean;
}

export interface Chart {
  readonly plot: uPlot;
  readonly spec: ChartSpec;
  /** Draws again with the colours of now. */
  repaint(): void;
  resize(width: number): void;
  destroy(): void;
}

/** Decades for a log axis: 1, 10, 100 ... within the range; finer where there are few. */
export function decades(min: number, max: number): number[] {
  const first = Math.ceil(Math.log10(min) - 1e-9);
  const last = Math.floor(Math.log10(max) + 1e-9);
  const steps = last - first < 1 ? [1, 2, 5] : [1];
  const out: number[] = [];
  for (let power = first - 1; power <= last; power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= min * 0.999 && value <= max * 1.001) out.push(value);
    }
  }
  return out;
}

/** Powers of two within the range, few enough for an axis. */
function binaryTicks(min: number, max: number): number[] {
  const first = Math.ceil(Math.log2(Math.max(min, 1)) - 1e-9);
  const last = Math.floor(Math.log2(Math.max(max, 1)) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first) / 6));
  return Array.from(
    { length: Math.max(0, Math.floor((last - first) / every) + 1) },
    (_, i) => 2 ** (first + i * every),
  );
}

/** Steps between the ticks of a linear axis of bytes. */
const BINARY_STEPS = Array.from({ length: 51 }, (_, i) => 2 ** i);

/** Rows drawn last lie on top: what was recorded, a thin broken line over the designs. */
export function drawingOrder(rows: readonly ChartRow[]): readonly number[] {
  const order = rows.map((_, i) => i);
  return [...order.filter((i) => !rows[i]?.recorded), ...order.filter((i) => rows[i]?.recorded)];
}

function yRange(spec: ChartSpec): uPlot.Range.Function {
  return (_, low, high) => {
    if (spec.yRange !== undefined) return [spec.yRange[0], spec.yRange[1]];
    const max = Number.isFinite(high) && high > 0 ? high : 1;
    if (!spec.logY) return [0, max * 1.06];
    const min = Number.isFinite(low) && low > 0 ? low : max / 10;
    return [10 ** Math.floor(Math.log10(min) + 1e-9), max * 1.3];
  };
}

/**
 * The point that the cursor stands on: in a stepped chart the step under it, else the nearest point; `null` where it is away.
 */
export function pointed(plot: uPlot, spec: ChartSpec): number | null {
  const { idx, left } = plot.cursor;
  if (typeof idx !== 'number' || left === undefined || left < 0) return null;
  if (!spec.stepped) return idx;
  const under = (spec.x[idx] ?? 0) <= plot.posToVal(left, 'x') * (1 + 1e-9) ? idx : idx - 1;
  return Math.max(0, Math.min(spec.x.length - 2, under));
}

/** Width of a character of a label, and room between two, in CSS pixels. */
const LABEL_CHARACTER = 7.2;
const LABEL_GAP = 18;
/** Narrowest distance between two labels of the x axis, in CSS pixels. */
const TICK_ROOM = 58;

/** Every n-th of the splits, so that labels have room; the others keep their grid line. */
function spaced(plot: uPlot, splits: readonly number[]): (number | null)[] {
  const [first, second] = splits;
  if (first === undefined || second === undefined) return [...splits];
  const step = Math.abs(plot.valToPos(second, 'x') - plot.valToPos(first, 'x'));
  const every = Math.max(1, Math.ceil(TICK_ROOM / Math.max(1, step)));
  return splits.map((value, i) => (i % every === 0 ? value : null));
}

export function createChart(
  host: HTMLElement,
  spec: ChartSpec,
  visible: readonly boolean[],
  colours: () => Colours,
): Chart {
  const order = drawingOrder(spec.rows);
  const stepped = uPlot.paths.stepped;
  const axis = (side: 'x' | 'y'): uPlot.Axis => ({
    stroke: () => colours().faint,
    font: '12px system-ui, sans-serif',
    grid: { stroke: () => colours().grid, width: 1, show: side === 'y' || spec.xLog },
    ticks: { stroke: () => colours().grid, width: 1, size: 5 },
    ...(side === 'x'
      ? {
          size: 30,
          gap: 4,
          // long labels stand further apart: a short time, late in a trace
          space: (_: uPlot, __: number, ___: number, max: number) =>
            Math.max(64, spec.formatX(max).length * LABEL_CHARACTER + LABEL_GAP),
          values: (_: uPlot, splits: (number | null)[]) =>
            splits.map((value) => (value === null ? null : spec.formatX(value))),
        }
      : {
          size: spec.yRoom ?? Y_AXIS,
          gap: 6,
          space: 34,
          values: (_: uPlot, splits: number[]) => splits.map(spec.formatY),
        }),
  });
  const splitsOf = (_: uPlot, __: number, min: number, max: number): number[] => decades(min, max);
  const options: uPlot.Options = {
    width: Math.max(MIN_WIDTH, host.clientWidth),
    height: HEIGHT,
    padding: [spec.topPadding, 26, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      dataIdx: (plot, _, closest) => pointed(plot, spec) ?? closest,
      points: { size: 7, width: 1.5, stroke: (_, i) => colours().rows[order[i - 1] ?? 0] ?? '', fill: 'transparent' },
      drag: { x: true, y: false, setScale: true },
      sync: { key: spec.group, setSeries: false },
    },
    scales: {
      x: {
        time: false,
        distr: spec.xLog ? 3 : 1,
        range: (_, min, max) => (min === null ? [...spec.xRange] : [min, max]),
      },
      y: { distr: spec.logY ? 3 : 1, range: yRange(spec) },
    },
    axes: [
      { ...axis('x'), ...(spec.xLog ? { splits: splitsOf, filter: spaced } : {}) },
      {
        ...axis('y'),
        ...(spec.logY
          ? {
              splits: (_: uPlot, __: number, min: number, max: number) =>
                spec.binaryY === true ? binaryTicks(min, max) : decades(min, max),
              filter: (_: uPlot, s: number[]) => s,
            }
          : spec.ySplits !== undefined
            ? { splits: () => [...(spec.ySplits ?? [])] }
            : spec.binaryY === true
              ? { incrs: BINARY_STEPS }
              : {}),
      },
    ],
    series: [
      {},
      ...order.map(
        (row, i): uPlot.Series => ({
          label: spec.rows[row]?.label ?? '',
          show: visible[row] ?? true,
          stroke: () => colours().rows[row] ?? '',
          width: spec.rows[row]?.style.width ?? 1,
          dash: [...(spec.rows[row]?.style.dash ?? [])],
          points: {
            size: 4,
            fill: () => colours().rows[row] ?? '',
            width: 0,
            filter: () => isolated(spec.values[row] ?? [], spec),
          },
          spanGaps: spec.spanGaps === true,
          ...(spec.bare === true ? { paths: () => null, points: { show: false } } : {}),
          ...(spec.stepped && stepped ? { paths: stepped({ align: 1 }) } : {}),
          ...(spec.stepped && !spec.rows[row]?.recorded && i < 4
            ? { fill: () => translucent(colours().rows[row] ?? '') }
            : {}),
        }),
      ),
    ],
    plugins: [...spec.plugins],
  };
  const data: uPlot.AlignedData = [[...spec.x], ...order.map((row) => [...(spec.values[row] ?? [])])];
  const plot = new uPlot(options, data, host);
  return {
    plot,
    spec,
    repaint: () => plot.redraw(false, true),
    resize: (width) => plot.setSize({ width: Math.max(MIN_WIDTH, width), height: HEIGHT }),
    destroy: () => plot.destroy(),
  };
}

/** Points that no line reaches, because there is nothing before and nothing behind them. */
function isolated(values: readonly (number | null)[], spec: ChartSpec): number[] {
  if (spec.stepped) return [];
  const missing = (value: number | null | undefined): boolean => value === null || value === undefined;
  return values.flatMap((value, i) => (!missing(value) && missing(values[i - 1]) && missing(values[i + 1]) ? [i] : []));
}

/** `rgb(1, 2, 3)` with little opacity. */
function translucent(colour: string): string {
  const parts = /^rgba?\(([\d.]+),\s*([\d.]+),\s*([\d.]+)/.exec(colour);
  return parts === null ? 'transparent' : `rgba(${parts[1]}, ${parts[2]}, ${parts[3]}, 0.13)`;
}
