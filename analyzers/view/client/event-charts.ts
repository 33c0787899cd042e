import type { WindowMessage } from '../view-messages.ts';
import { formatBytes, formatCount, formatDecimal, formatNs, formatShort } from '../../report/format-units.ts';
import { lineStyle } from '../../report/line-styles.ts';
import { wantsLog } from '../../report/client/chart-specs.ts';
import type { ChartSpec } from '../../report/client/chart.ts';
import type { Colours } from '../../report/client/theme.ts';
import { countsOf } from './server.ts';
import { heatCells } from './heat-cells.ts';

const THIN = '\u202f';
/** Both charts leave the same room for their y axis, so that their times lie below each other: an address needs most. */
const Y_ROOM = 104;
/** Room of a block's label, in parts of the chart's height. */
const LABELS = 12;

/** The whole trace, in seconds, and the group of the charts over its time. */
export interface Whole {
  readonly range: readonly [from: number, to: number];
  readonly group: string;
  /** Streams in the order of their lines. */
  readonly streams: readonly string[];
}

type Common = Pick<
  ChartSpec,
  'x' | 'xLog' | 'xRange' | 'focus' | 'stepped' | 'formatX' | 'describeX' | 'group' | 'topPadding' | 'yRoom'
>;

/** What charts over a window have in common: its parts by their middle. */
function overTime(whole: Whole, from: number, to: number, bins: number): Common {
  const width = (to - from) / bins;
  const x = Array.from({ length: bins }, (_, i) => (from + (i + 0.5) * width) / 1e9);
  // seconds of the trace at any zoom, with as many digits as tell two parts apart
  const digits = Math.max(0, Math.min(9, Math.ceil(1 - Math.log10((to - from) / 1e9)) + 1));
  return {
    x,
    xLog: false,
    xRange: whole.range,
    focus: null,
    stepped: false,
    formatX: (value) => `${Number(value.toFixed(digits))}${THIN}s`,
    describeX: (index) => `at ${(x[index] ?? 0).toFixed(Math.min(9, digits + 2))}${THIN}s, in ${formatNs(width)}`,
    group: whole.group,
    topPadding: 10,
    yRoom: Y_ROOM,
  };
}

/** Events per second of each stream. */
export function eventSpec(whole: Whole, message: WindowMessage): ChartSpec {
  const { from, to, bins, streams } = message;
  const perSecond = bins / ((to - from) / 1e9);
  const found = new Map(streams.map(({ name, counts }) => [name, countsOf(counts)]));
  const values = whole.streams.map((name) => {
    const counts = found.get(name);
    return Array.from({ length: bins }, (_, i) => (counts?.[i] ?? 0) * perSecond);
  });
  return {
    ...overTime(whole, from, to, bins),
    title: 'Events per second by stream over time',
    rows: whole.streams.map((label, i) => ({ label, style: lineStyle(i, false), recorded: false })),
    values,
    formatY: formatShort,
    formatValue: (value) => `${formatDecimal(value)}/s`,
    plugins: [],
    logY: wantsLog(values),
  };
}

/** How often each block of addresses is named; null where none is. */
export function addressSpec(whole: Whole, { heat }: WindowMessage, colours: () => Colours): ChartSpec | null {
  const { from, to, bins, blocks, blockBytes } = heat;
  const cells = countsOf(heat.cells);
  const values = Array.from({ length: bins }, (_, i) =>
    blocks.reduce((sum, __, block) => sum + (cells[block * bins + i] ?? 0), 0),
  );
  const every = Math.max(1, Math.ceil(blocks.length / LABELS));
  return {
    ...overTime(whole, from, to, bins),
    title: `Addresses over time, in blocks of ${formatBytes(blockBytes)}`,
    rows: [{ label: 'events that name an address', style: lineStyle(0, false), recorded: false }],
    values: [values],
    yEnds: { from: 0, to: Math.max(1, blocks.length) },
    ySplits: blocks.flatMap((_, block) => (block % every === 0 ? [block + 0.5] : [])),
    bare: true,
    formatY: (value) => blocks[Math.floor(value)] ?? '',
    formatValue: formatCount,
    plugins: [heatCells({ from: from / 1e9, to: to / 1e9, bins, blocks: blocks.length, cells }, colours)],
    logY: false,
  };
}
