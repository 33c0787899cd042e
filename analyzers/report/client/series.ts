import type { TimePicture } from '../time-picture.ts';
import { formatDecimal, formatNs } from '../format-units.ts';
import { formatUnit, tickUnit } from '../unit-format.ts';
import { timeUnit } from './chart-specs.ts';
import type { ChartSpec } from './chart.ts';

const THIN = '\u202f';

/** The lines of a drawn picture, and takes the picture away: the chart stands in its place. Null where there is none. */
export function readSeries(host: HTMLElement): TimePicture | null {
  const figure = host.closest('figure');
  const text = host.querySelector('script[type="application/json"]')?.textContent;
  if (figure === null || text === null || text === undefined) return null;
  const series = JSON.parse(text) as TimePicture;
  host.replaceChildren();
  figure.querySelector('.legend')?.remove();
  const legend = document.createElement('div');
  legend.className = 'legend';
  host.after(legend);
  const tools = document.createElement('div');
  tools.className = 'tools';
  figure.querySelector('figcaption')?.append(tools);
  return series;
}

/** Lines with their own points on one axis: where a line has none it is not interrupted. */
function aligned(lines: TimePicture['lines']): { readonly x: readonly number[]; readonly values: (number | null)[][] } {
  const x = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const place = new Map(x.map((value, i) => [value, i]));
  const values = lines.map((line) => {
    const row = new Array<number | null>(x.length).fill(null);
    line.x.forEach((value, i) => {
      row[place.get(value) ?? 0] = line.y[i] ?? null;
    });
    return row;
  });
  return { x: x.map((ns) => ns / 1e9), values };
}

export function seriesSpec({ title, unit, log, lines, range }: TimePicture, group: string): ChartSpec {
  const { x, values } = aligned(lines);
  const [from, to] = range ?? [x[0] ?? 0, x.at(-1) ?? 1];
  const xRange = [from, to > from ? to : from + 1e-9] as const;
  const [name, perSecond] = timeUnit(xRange[1] - xRange[0]);
  return {
    title,
    rows: lines.map(({ label, style }) => ({ label, style, recorded: false })),
    x,
    values,
    xLog: false,
    xRange,
    focus: null,
    stepped: false,
    spanGaps: true,
    formatX: (value) => `${Number((value * perSecond).toPrecision(7))}${THIN}${name}`,
    formatY: (value) => tickUnit(unit, value),
    formatValue: (value) => formatUnit(unit, value),
    describeX: (index) => {
      const seconds = x[index] ?? 0;
      return perSecond === 1 ? `at ${formatDecimal(seconds, 5)}${THIN}s` : `at ${formatNs(seconds * 1e9)}`;
    },
    group,
    topPadding: 10,
    plugins: [],
    logY: log,
    binaryY: unit === 'bytes' || unit === 'bytes/s',
  };
}
