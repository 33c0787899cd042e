import { formatDecimal, formatNs } from '../format-units.ts';
import type { LineAxis, LineChartData } from '../line-chart.ts';
import { formatUnit, tickUnit } from '../unit-format.ts';
import { timeUnit } from './chart-specs.ts';
import type { ChartSpec } from './chart.ts';
import { guideLines } from './guide-lines.ts';
import type { Colours } from './theme.ts';

const THIN = '\u202f';

/** The lines of a chart, and leaves its place empty. Null where there are none. */
export function readSeries(host: HTMLElement): LineChartData | null {
  const text = host.querySelector('script[type="application/json"]')?.textContent;
  if (text === null || text === undefined) return null;
  host.replaceChildren();
  return JSON.parse(text) as LineChartData;
}

/** Lines with their own points on one axis: where a line has none it is not interrupted. */
function aligned(lines: LineChartData['lines']): {
  readonly x: readonly number[];
  readonly values: (number | null)[][];
} {
  const x = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const place = new Map(x.map((value, i) => [value, i]));
  const values = lines.map((line) => {
    const row = new Array<number | null>(x.length).fill(null);
    line.x.forEach((value, i) => {
      row[place.get(value) ?? 0] = line.y[i] ?? null;
    });
    return row;
  });
  return { x, values };
}

/** From one end of an axis to the other, with room around a single value. */
function rangeOf({ log, from, to }: LineAxis, values: readonly number[]): readonly [number, number] {
  const low = from ?? values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = to ?? values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (high > low) return [low, high];
  return log ? [low / 2, low * 2] : [low - Math.max(1, Math.abs(low) / 2), low + Math.max(1, Math.abs(low) / 2)];
}

type Across = Pick<ChartSpec, 'x' | 'xRange' | 'formatX' | 'describeX'>;

/** Seconds of the trace, as all charts over its time have them. */
function overTime(axis: LineAxis, ns: readonly number[]): Across {
  const x = ns.map((value) => value / 1e9);
  const [from, to] = rangeOf(axis, ns);
  const [name, perSecond] = timeUnit((to - from) / 1e9);
  return {
    x,
    xRange: [from / 1e9, to / 1e9],
    formatX: (value) => `${Number((value * perSecond).toPrecision(7))}${THIN}${name}`,
    describeX: (index) => {
      const seconds = x[index] ?? 0;
      return perSecond === 1 ? `at ${formatDecimal(seconds, 5)}${THIN}s` : `at ${formatNs(seconds * 1e9)}`;
    },
  };
}

function overValues(axis: LineAxis, x: readonly number[], marked: readonly number[]): Across {
  return {
    x,
    xRange: rangeOf(axis, [...x, ...marked]),
    // sizes are known by their digits: 1 024, not 1.024 k
    formatX: (value) => (axis.base === 2 ? formatUnit : tickUnit)(axis.unit, value),
    describeX: (index) => `${axis.title} ${formatUnit(axis.unit, x[index] ?? 0)}`,
  };
}

/** `groupOf`: name of the charts that share zoom and cursor over an axis. */
export function seriesSpec(data: LineChartData, colours: () => Colours, groupOf: (axis: string) => string): ChartSpec {
  const { about, x: across, y: up, lines, limit, mark } = data;
  const { x, values } = aligned(lines);
  const overTrace = across.unit === 'time';
  return {
    ...(overTrace ? overTime(across, x) : overValues(across, x, mark === undefined ? [] : [mark.at])),
    title: about,
    rows: lines.map(({ label, style, marks, area }) => ({
      label,
      style,
      recorded: false,
      marks: marks === true,
      area: area === true,
    })),
    values,
    xLog: across.log,
    xBase: across.base,
    focus: null,
    yEnds: { ...(up.from === undefined ? {} : { from: up.from }), ...(up.to === undefined ? {} : { to: up.to }) },
    ...(limit === undefined ? {} : { yShown: limit.at }),
    stepped: false,
    spanGaps: true,
    formatY: (value) => tickUnit(up.unit, value),
    formatValue: (value) => formatUnit(up.unit, value),
    group: groupOf(overTrace ? 'time' : across.title),
    topPadding: 10,
    plugins: limit === undefined && mark === undefined ? [] : [guideLines(data, colours)],
    logY: up.log,
    yBase: up.base,
  };
}
