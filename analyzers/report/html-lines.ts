import type { LineStyle } from './line-styles.ts';
import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';
import { axisOf } from './svg-axes.ts';
import type { AxisSpec } from './svg-axes.ts';

/** Lines over two axes, drawn once and readable without a script. */

const NARROW = 640;
const WIDE = 1240;
const LEFT = 82;
const RIGHT = 22;
const TOP = 26;
const BOTTOM = 44;

export interface DrawnLine {
  readonly label: string;
  readonly style: LineStyle;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Also a mark at each point. */
  readonly marks?: boolean;
  /** Filled down to the axis. */
  readonly area?: boolean;
}

export interface LinesPicture {
  /** What is drawn, for who can't see it. */
  readonly about: string;
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  readonly lines: readonly DrawnLine[];
  readonly height?: number;
  /** A value of the y axis to compare with. */
  readonly limit?: { readonly at: number; readonly label: string };
  /** A value of the x axis to look at. */
  readonly mark?: { readonly at: number; readonly label: string };
  /** Over the whole width of the page. */
  readonly wide?: boolean;
}

/** Null without a point. */
export function linesPicture({ about, x, y, lines, height = 260, wide, limit, mark }: LinesPicture): Markup | null {
  const width = wide === true ? WIDE : NARROW;
  const points = lines.flatMap((line) => line.points);
  if (points.length === 0) return null;
  const floor = height - BOTTOM;
  const across = axisOf(
    x,
    points.map(([value]) => value),
  );
  const up = axisOf(y, [...points.map(([, value]) => value), ...(limit === undefined ? [] : [limit.at])]);
  const px = (value: number): number => round(LEFT + across.at(value) * (width - LEFT - RIGHT));
  const py = (value: number): number => round(floor - up.at(value) * (floor - TOP));
  const told = lines.slice(0, 12).map((line) => line.label);
  return html`<svg class="plane" viewBox="0 0 ${width} ${height}" role="img" aria-label="${about}: ${told.join(', ')}">
${across.ticks.map((value) => html`<line class="tick" x1="${px(value)}" x2="${px(value)}" y1="${TOP}" y2="${floor}"/><text x="${px(value)}" y="${floor + 17}" text-anchor="${across.at(value) > 0.97 ? 'end' : 'middle'}">${x.format(value)}</text>`)}
${up.ticks.map((value) => html`<line class="tick" x1="${LEFT}" x2="${width - RIGHT}" y1="${py(value)}" y2="${py(value)}"/><text x="${LEFT - 8}" y="${py(value) + 4}" text-anchor="end">${y.format(value)}</text>`)}
<line class="axis" x1="${LEFT}" x2="${width - RIGHT}" y1="${floor}" y2="${floor}"/><line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${floor}"/>
<text x="${width - RIGHT}" y="${height - 6}" text-anchor="end">${x.title}</text><text x="4" y="14">${y.title}</text>
${limit === undefined ? null : html`<line class="limit" x1="${LEFT}" x2="${width - RIGHT}" y1="${py(limit.at)}" y2="${py(limit.at)}"/><text x="${width - RIGHT - 4}" y="${py(limit.at) - 5}" text-anchor="end">${limit.label}</text>`}
${mark === undefined ? null : html`<line class="limit" x1="${px(mark.at)}" x2="${px(mark.at)}" y1="${TOP}" y2="${floor}"/><text x="${px(mark.at) + (across.at(mark.at) > 0.7 ? -5 : 5)}" y="${TOP + 10}" text-anchor="${across.at(mark.at) > 0.7 ? 'end' : 'start'}">${mark.label}</text>`}
${lines.map(({ style, points: all, marks, area }) => {
  const path = all.map(([left, top]) => `${px(left)},${py(top)}`);
  const [first, last] = [all[0], all.at(-1)];
  const filled =
    area === true && first !== undefined && last !== undefined
      ? html`<polygon class="area" points="${trusted(`${px(first[0])},${floor} ${path.join(' ')} ${px(last[0])},${floor}`)}"/>`
      : null;
  const dots = marks === true ? all.map(([left, top]) => html`<circle cx="${px(left)}" cy="${py(top)}" r="2.5"/>`) : [];
  return html`<g class="${style.className}">${filled}<polyline class="cores" points="${trusted(path.join(' '))}" stroke-width="${style.width}" stroke-dasharray="${style.dash.join(' ')}"/>${dots}</g>`;
})}</svg>`;
}

/** The keys of the lines, as the script's charts have them. */
export function linesLegend(lines: readonly DrawnLine[]): Markup {
  return html`<div class="legend">${lines.map(({ label, style }) => html`<span class="row ${style.className}"><svg class="key ${style.className}" viewBox="0 0 22 10" aria-hidden="true"><line x1="0" y1="5" x2="22" y2="5" stroke-width="${style.width + 0.75}" stroke-dasharray="${style.dash.join(' ')}"/></svg><span class="name">${label}</span></span>`)}</div>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
