import { inertJson, printable } from './escape.ts';
import type { LineStyle } from './line-styles.ts';
import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';
import { peaksOf } from './peaks.ts';
import type { UnitName } from './unit-format.ts';

/** Points of one line that a page holds: twice the pixels of a wide chart, a lowest and a highest for each. */
const MOST_POINTS = 4096;

export interface LineAxis {
  readonly title: string;
  readonly unit: UnitName;
  readonly log: boolean;
  /** Round numbers of this base: 2 for bytes and for sizes that hardware comes in. */
  readonly base: 2 | 10;
  /** Where the axis begins and ends, if not where the values do. A y axis that is not logarithmic begins at 0. */
  readonly from?: number;
  readonly to?: number;
}

export interface DrawnLine {
  readonly label: string;
  readonly style: LineStyle;
  /** In the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Also a mark at each point. */
  readonly marks?: boolean;
  /** Filled down to the axis. */
  readonly area?: boolean;
}

/** A value to compare with, or to look at. */
interface Guide {
  readonly at: number;
  readonly label: string;
}

export interface LineChart {
  /** What is drawn, for who can't see it. */
  readonly about: string;
  readonly x: LineAxis;
  readonly y: LineAxis;
  readonly lines: readonly DrawnLine[];
  /** A value of the y axis. */
  readonly limit?: Guide;
  /** A value of the x axis. */
  readonly mark?: Guide;
}

/** The same as plain data, for the script of the page. */
export interface LineChartData extends Omit<LineChart, 'lines'> {
  readonly lines: readonly (Omit<DrawnLine, 'points'> & {
    readonly x: readonly number[];
    readonly y: readonly number[];
  })[];
}

/** The x axis of charts over the time of a trace, in nanoseconds of the trace: their zoom is that of all others over it. */
export function timeAxis(from?: number, to?: number): LineAxis {
  return {
    title: 'time',
    unit: 'time',
    log: false,
    base: 10,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

function inert(guide: Guide): Guide {
  return { at: guide.at, label: printable(guide.label, 80) };
}

function dataOf({ about, x, y, lines, limit, mark }: LineChart): LineChartData {
  return {
    about: printable(about),
    x: { ...x, title: printable(x.title, 80) },
    y: { ...y, title: printable(y.title, 80) },
    lines: lines.map(({ points, label, ...line }) => {
      const few = peaksOf(points, MOST_POINTS);
      return { ...line, label: printable(label, 80), x: few.map(([at]) => at), y: few.map(([, value]) => value) };
    }),
    ...(limit === undefined ? {} : { limit: inert(limit) }),
    ...(mark === undefined ? {} : { mark: inert(mark) }),
  };
}

/** A chart that the script draws, with its legend. Charts of one page over the same x axis share zoom and cursor. Null without a point. */
export function lineFigure(heading: string, sub: string, chart: LineChart): Markup | null {
  if (chart.lines.every(({ points }) => points.length === 0)) return null;
  const up = chart.y.title === heading ? null : html`<p class="axis">${chart.y.title}</p>`;
  return html`<figure class="panel"><figcaption><div><h3>${heading}</h3><p class="sub">${sub}</p></div><div class="tools"></div></figcaption>${up}<div class="plot series"><script type="application/json">${trusted(inertJson(dataOf(chart)))}</script><noscript><p class="none">A chart, for which the script of this file has to run.</p></noscript></div><p class="axis across">${chart.x.title}</p><div class="legend"></div></figure>`;
}
