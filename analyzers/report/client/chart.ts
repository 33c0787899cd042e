import uPlot from 'uplot';
import type { ChartRow } from '../chart-data.ts';
import { xAxis, yAxis, yRange } from './chart-axes.ts';
import type { Colours } from './theme.ts';

/** Height of plot and axes in CSS pixels; the width follows the page. */
const HEIGHT = 230;
const MIN_WIDTH = 240;

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
  /** Ends of the y axis where they are fixed: 0 to 100 for shares. */
  readonly yEnds?: { readonly from?: number; readonly to?: number };
  /** A value that the y axis always reaches. */
  readonly yShown?: number;
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
  /** Least room of the y axis in CSS pixels, where its labels are long. */
  readonly yRoom?: number;
  /** The ticks of the y axis, where they are not round numbers. */
  readonly ySplits?: readonly number[];
  /** Round values of an axis are powers of it; 10 if nothing is said. */
  readonly xBase?: 2 | 10;
  readonly yBase?: 2 | 10;
}

export interface Chart {
  readonly plot: uPlot;
  readonly spec: ChartSpec;
  /** Draws again with the colours of now. */
  repaint(): void;
  resize(width: number): void;
  destroy(): void;
}

/** Rows drawn last lie on top: what was recorded, a thin broken line over the designs. */
export function drawingOrder(rows: readonly ChartRow[]): readonly number[] {
  const order = rows.map((_, i) => i);
  return [...order.filter((i) => !rows[i]?.recorded), ...order.filter((i) => rows[i]?.recorded)];
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

export function createChart(
  host: HTMLElement,
  spec: ChartSpec,
  visible: readonly boolean[],
  colours: () => Colours,
): Chart {
  const order = drawingOrder(spec.rows);
  const stepped = uPlot.paths.stepped;
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
    axes: [xAxis(spec, colours), yAxis(spec, colours)],
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
            size: spec.rows[row]?.marks === true ? 6 : 4,
            fill: () => colours().rows[row] ?? '',
            width: 0,
            filter: () => (spec.rows[row]?.marks === true ? present : isolated)(spec.values[row] ?? [], spec),
          },
          spanGaps: spec.spanGaps === true,
          ...(spec.bare === true ? { paths: () => null, points: { show: false } } : {}),
          ...(spec.stepped && stepped ? { paths: stepped({ align: 1 }) } : {}),
          ...(spec.rows[row]?.area === true || (spec.stepped && !spec.rows[row]?.recorded && i < 4)
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

function present(values: readonly (number | null)[]): number[] {
  return values.flatMap((value, i) => (value === null ? [] : [i]));
}

/** Points that no line reaches, because there is nothing before and nothing behind them. */
function isolated(values: readonly (number | null)[], spec: ChartSpec): number[] {
  if (spec.stepped) return [];
  const all = present(values);
  if (spec.spanGaps === true) return all.length === 1 ? all : [];
  const missing = (i: number): boolean => (values[i] ?? null) === null;
  return all.filter((i) => missing(i - 1) && missing(i + 1));
}

/** `rgb(1, 2, 3)` with little opacity. */
function translucent(colour: string): string {
  const parts = /^rgba?\(([\d.]+),\s*([\d.]+),\s*([\d.]+)/.exec(colour);
  return parts === null ? 'transparent' : `rgba(${parts[1]}, ${parts[2]}, ${parts[3]}, 0.13)`;
}
