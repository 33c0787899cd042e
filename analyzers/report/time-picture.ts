import { inertJson, printable } from './escape.ts';
import { linesPicture } from './html-lines.ts';
import type { LinesPicture } from './html-lines.ts';
import type { LineStyle } from './line-styles.ts';
import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';
import { peaksOf } from './peaks.ts';
import { tickUnit } from './unit-format.ts';
import type { UnitName } from './unit-format.ts';

/** Points of one line that a page holds: twice the pixels of a wide chart, a lowest and a highest for each. */
const MOST_POINTS = 4096;

/** Lines over the time of a trace, as the script of the page draws them. */
export interface TimePicture {
  readonly title: string;
  readonly unit: UnitName;
  readonly log: boolean;
  /** Seconds of the trace. */
  readonly range: readonly [from: number, to: number] | null;
  /** `x` in nanoseconds of the trace. */
  readonly lines: readonly {
    readonly label: string;
    readonly style: LineStyle;
    readonly x: readonly number[];
    readonly y: readonly number[];
  }[];
}

/** What is drawn over time: the y axis has a unit instead of a way to write its values. */
export interface TimeLines extends Omit<LinesPicture, 'x' | 'y' | 'mark' | 'limit'> {
  readonly from?: number;
  readonly to?: number;
  readonly y: { readonly title: string; readonly log: boolean; readonly base: 2 | 10; readonly unit: UnitName };
}

/**
 * Lines over time: a picture for who runs no script, and its points for the script, which draws them with a zoom and a cursor
 * that all charts over the time of a trace share. Null without a point.
 */
export function timePicture({ from, to, y, lines, ...rest }: TimeLines): Markup | null {
  const few = lines.map((line) => ({ ...line, points: peaksOf(line.points, MOST_POINTS) }));
  const picture = linesPicture({
    ...rest,
    x: {
      title: 'time',
      log: false,
      base: 10,
      format: (ns) => tickUnit('ns', ns),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    },
    y: { ...y, format: (value) => tickUnit(y.unit, value) },
    lines: few,
  });
  if (picture === null) return null;
  const data: TimePicture = {
    title: printable(rest.about),
    unit: y.unit,
    log: y.log,
    range: from === undefined || to === undefined ? null : [from / 1e9, to / 1e9],
    lines: few.map(({ label, style, points }) => ({
      label: printable(label, 80),
      style,
      x: points.map(([ns]) => ns),
      y: points.map(([, value]) => value),
    })),
  };
  return html`<div class="series">${picture}<script type="application/json">${trusted(inertJson(data))}</script></div>`;
}
