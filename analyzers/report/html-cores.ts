import type { DesignRow } from './comparison.ts';
import { formatDecimal } from './format-units.ts';
import { lineStyle } from './line-styles.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

/** Throughput against cores, both logarithmic to the base 2: what scales is a straight line. */

const WIDTH = 520;
const HEIGHT = 290;
const LEFT = 46;
const RIGHT = 14;
const TOP = 22;
const BOTTOM = 42;

/** Powers of two from 1 to the first that reaches `most`. */
function powers(most: number): readonly number[] {
  const all = [1];
  while ((all.at(-1) ?? most) < most) all.push(2 * (all.at(-1) ?? 1));
  return all;
}

/** Null without at least two numbers of cores. */
export function coresPlane(rows: readonly DesignRow[]): Markup | null {
  const points = rows.flatMap((row) => row.design.scaling?.points ?? []);
  const mostCores = Math.max(1, ...points.map((point) => point.cores));
  if (mostCores < 2) return null;
  const cores = powers(mostCores);
  const gains = powers(Math.max(2, ...points.map((point) => point.relative)));
  const top = Math.log2(Math.max(gains.at(-1) ?? 2, 2));
  const end = Math.log2(cores.at(-1) ?? 2);
  const x = (value: number): number => round(LEFT + (Math.log2(Math.max(1, value)) / end) * (WIDTH - LEFT - RIGHT));
  // less than one core's work lies on the axis
  const y = (value: number): number =>
    round(HEIGHT - BOTTOM - (Math.log2(Math.max(1, value)) / top) * (HEIGHT - TOP - BOTTOM));
  const floor = HEIGHT - BOTTOM;
  const ideal = Math.min(cores.at(-1) ?? 2, gains.at(-1) ?? 2);
  const told = rows.map((row) => {
    const last = row.design.scaling?.points.at(-1);
    return `${row.label}: ${last === undefined ? 'nothing' : `${formatDecimal(last.relative)} times with ${last.cores} cores`}`;
  });
  return html`<svg class="plane" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Submissions against cores. ${told.slice(0, 12).join('; ')}">
${cores.map((value) => html`<line class="tick" x1="${x(value)}" x2="${x(value)}" y1="${TOP}" y2="${floor}"/><text x="${x(value)}" y="${floor + 17}" text-anchor="middle">${value}</text>`)}
${gains.map((value) => html`<line class="tick" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/><text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value}×</text>`)}
<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${floor}" y2="${floor}"/><line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${floor}"/>
<line class="leader" x1="${x(1)}" y1="${y(1)}" x2="${x(ideal)}" y2="${y(ideal)}"/>
<text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">cores</text><text x="4" y="12">submissions, against one core</text>
${rows.map((row) => {
  const { className, dash, width } = lineStyle(row.number, false);
  const line = (row.design.scaling?.points ?? []).map((point) => `${x(point.cores)},${y(point.relative)}`);
  return html`<g class="${className}"><polyline class="cores" points="${line.join(' ')}" stroke-width="${width}" stroke-dasharray="${dash.join(' ')}"/></g>`;
})}</svg>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
