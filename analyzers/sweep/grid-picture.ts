import type { SweepParameter } from '../../replay/sweep/sweep-point.ts';
import { formatShort } from '../report/format-units.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import type { ShownMetric } from './sweep-metric-table.ts';

/** A figure over two parameters: one cell for each pair of values. */
export interface Grid {
  readonly metric: ShownMetric;
  readonly across: SweepParameter;
  readonly up: SweepParameter;
  /** Null where there is none. */
  readonly value: (across: number | string, up: number | string) => number | null;
}

const WIDTH = 1240;
const LEFT = 82;
const RIGHT = 22;
const TOP = 22;
const BOTTOM = 40;
const ROW = 30;
/** Of the map's eight: on darker ones text is hard to read. */
const LEVELS = 5;
/** Narrower cells have no text. */
const LEGIBLE = 56;

/** Darker is more, between the least and the most. Null where there are too many values to draw. */
export function gridPicture({ metric, across, up, value }: Grid): Markup | null {
  const columns = across.values.toSorted((a, b) => Number(a) - Number(b));
  const rows = up.values.toSorted((a, b) => Number(b) - Number(a));
  const cell = (WIDTH - LEFT - RIGHT) / columns.length;
  if (cell < 8 || rows.length > 40) return null;
  const all = columns.flatMap((x) => rows.map((y) => value(x, y)));
  const known = all.filter((one) => one !== null);
  const least = Math.min(...known);
  const most = Math.max(...known);
  const level = (one: number): number =>
    most > least ? 1 + Math.round(((one - least) / (most - least)) * (LEVELS - 1)) : 1;
  const floor = TOP + rows.length * ROW;
  const round = (number: number): number => Math.round(number * 10) / 10;
  return html`<svg class="plane heat" viewBox="0 0 ${WIDTH} ${floor + BOTTOM}" role="img" aria-label="${metric.title} by ${across.name} and ${up.name}">
${rows.flatMap((y, j) => [
  html`<text x="${LEFT - 8}" y="${TOP + j * ROW + 19}" text-anchor="end">${formatShort(Number(y))}</text>`,
  ...columns.map((x, i) => {
    const one = value(x, y);
    if (one === null) return null;
    const left = round(LEFT + i * cell);
    const text = metric.format(one);
    return html`<rect class="heat-${level(one)}" x="${left}" y="${TOP + j * ROW}" width="${round(cell - 2)}" height="${ROW - 2}"><title>${across.name} ${x}, ${up.name} ${y}: ${text}</title></rect>${cell < LEGIBLE ? null : html`<text class="value" x="${round(left + cell / 2)}" y="${TOP + j * ROW + 19}" text-anchor="middle">${text}</text>`}`;
  }),
])}
${columns.map((x, i) => html`<text x="${round(LEFT + (i + 0.5) * cell)}" y="${floor + 16}" text-anchor="middle">${formatShort(Number(x))}</text>`)}
<text x="${WIDTH - RIGHT}" y="${floor + 35}" text-anchor="end">${across.name}</text><text x="4" y="14">${up.name}</text></svg>`;
}
