import type { ChartData, ExposureChartData, Points, TimeChartData } from '../chart-data.ts';
import { formatCount, formatDecimal, formatNs, formatShort } from '../format-units.ts';
import type { ChartSpec } from './chart.ts';
import { PHASE_STRIP, phaseBands } from './phase-bands.ts';
import type { Colours } from './theme.ts';

/** Lines whose largest values are further apart than this start on a log scale: on a linear one the small lie on the axis. */
const LOG_FROM = 20;

const THIN = '\u202f';

function largest(values: Points): number {
  return values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
}

export function wantsLog(values: readonly Points[]): boolean {
  const peaks = values.map(largest).filter((peak) => peak > 0);
  return peaks.length > 1 && Math.max(...peaks) / Math.min(...peaks) > LOG_FROM;
}

/** Unit and divisor that give short ticks over this span of seconds. */
export function timeUnit(seconds: number): readonly [unit: string, perSecond: number] {
  if (seconds >= 2) return ['s', 1];
  if (seconds >= 2e-3) return ['ms', 1e3];
  if (seconds >= 2e-6) return ['µs', 1e6];
  return ['ns', 1e9];
}

const TIME_NAMES = ['commands', 'syncs', 'hitRate', 'exposed', 'utilisation'] as const;
type TimeName = (typeof TIME_NAMES)[number];

export function isTimeName(name: string | undefined): name is TimeName {
  return TIME_NAMES.some((known) => known === name);
}

export function timeSpec(
  name: TimeName,
  data: ChartData,
  time: TimeChartData,
  colours: () => Colours,
  group: string,
): ChartSpec | null {
  const values = time[name];
  const first = time.x[0];
  const last = time.x.at(-1);
  if (values === null || first === undefined || last === undefined) return null;
  const half = time.binNs / 2e9;
  const range: readonly [number, number] = [first - half, last + half];
  const [unit, perSecond] = timeUnit(range[1] - range[0]);
  const share = name === 'hitRate' || name === 'utilisation';
  const rate = name === 'commands' || name === 'syncs';
  const titles: { readonly [N in TimeName]: string } = {
    commands: 'Commands per second over time',
    syncs: 'Syncs per second over time',
    hitRate: 'IOTLB hit rate over time',
    exposed: 'Exposed pages over time',
    utilisation: 'Queue utilisation over time',
  };
  return {
    title: titles[name],
    rows: data.rows,
    x: time.x,
    values,
    xLog: false,
    xRange: range,
    // a hit rate is read against all; a queue is often nearly idle
    ...(name === 'hitRate' ? { yEnds: { from: 0, to: 103 } } : {}),
    stepped: false,
    formatX: (value) => `${Number((value * perSecond).toPrecision(7))}${THIN}${unit}`,
    formatY: (value) => (share ? `${formatShort(value)}${THIN}%` : formatShort(value)),
    formatValue: (value) =>
      share ? `${value.toFixed(1)}${THIN}%` : rate ? `${formatDecimal(value)}/s` : formatCount(value),
    describeX: (index) => {
      const x = time.x[index] ?? 0;
      const phase = data.phases.findLast(({ from, to }) => x >= from && x < to);
      const at = `at ${formatDecimal(x * perSecond, 5)}${THIN}${unit}`;
      return phase === undefined ? at : `${at}, ${phase.name}`;
    },
    focus: data.focus,
    group,
    topPadding: data.phases.length > 0 ? PHASE_STRIP + 2 : 10,
    plugins: data.phases.length > 0 ? [phaseBands(data.phases, colours)] : [],
    logY: !share && wantsLog(values),
  };
}

export function exposureSpec(data: ChartData, exposure: ExposureChartData, group: string): ChartSpec {
  const edges = Array.from({ length: exposure.last - exposure.first + 2 }, (_, i) => 2 ** (exposure.first + i));
  const [low = 1, high = 2] = [edges[0], edges.at(-1)];
  const totals = exposure.pages.map((pages) => pages.reduce((a, b) => a + b, 0));
  return {
    title: 'Exposed pages by how long they stayed reachable',
    rows: data.rows,
    x: edges,
    // The last step needs an end.
    values: exposure.pages.map((pages) => [...pages, pages.at(-1) ?? 0]),
    xLog: true,
    xRange: [low, high],
    stepped: true,
    formatX: (value) => shortTime(value),
    formatY: (value) => formatShort(value),
    formatValue: (value) => formatCount(value),
    describeX: (index) => {
      const at = Math.min(index, edges.length - 2);
      const all = totals.reduce((a, b) => a + b, 0);
      const range = `${formatNs(edges[at] ?? 0)} to ${formatNs(edges[at + 1] ?? 0)}`;
      return all === 0 ? range : `pages exposed for ${range}`;
    },
    focus: null,
    group,
    topPadding: 10,
    plugins: [],
    logY: false,
  };
}

/** `1 µs`, `200 ms`: a tick. */
function shortTime(ns: number): string {
  for (const [scale, unit] of [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ] as const) {
    if (ns >= scale * 0.999) return `${Number((ns / scale).toPrecision(3))}${THIN}${unit}`;
  }
  return `${Number(ns.toPrecision(3))}${THIN}ns`;
}
