import type { SweepParameter } from '../../replay/sweep/sweep-point.ts';
import { formatCount } from '../report/format-units.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { shownValue } from './sweep-metric-table.ts';
import type { ShownMetric } from './sweep-metric-table.ts';

/** A figure over two parameters: one cell for each pair of values. */
export interface Grid {
  readonly metric: ShownMetric;
  readonly across: SweepParameter;
  readonly up: SweepParameter;
  /** Null where there is none. */
  readonly value: (across: number | string, up: number | string) => number | null;
}

/** Of the map's eight: on darker ones text is hard to read. */
const LEVELS = 5;
/** More can't be looked over; the points have their own table. */
const MOST_COLUMNS = 64;
const MOST_ROWS = 40;

/** A table, the darker the more between the least and the most. Null where there are too many values. */
export function gridTable({ metric, across, up, value }: Grid): Markup | null {
  const columns = across.values.toSorted((a, b) => Number(a) - Number(b));
  const rows = up.values.toSorted((a, b) => Number(b) - Number(a));
  if (columns.length > MOST_COLUMNS || rows.length > MOST_ROWS) return null;
  const known = columns.flatMap((x) => rows.map((y) => value(x, y))).filter((one) => one !== null);
  const least = Math.min(...known);
  const most = Math.max(...known);
  const level = (one: number): number =>
    most > least ? 1 + Math.round(((one - least) / (most - least)) * (LEVELS - 1)) : 1;
  const cell = (one: number | null): Markup =>
    one === null ? html`<td></td>` : html`<td class="heat-${level(one)}">${shownValue(metric, one)}</td>`;
  return html`<div class="scroll"><table class="grid" aria-label="${metric.title} by ${across.name} and ${up.name}"><thead><tr><th scope="col" class="text">${up.name} \\ ${across.name}</th>${columns.map((x) => html`<th scope="col">${formatCount(Number(x))}</th>`)}</tr></thead><tbody>${rows.map(
    (y) => html`<tr><th scope="row">${formatCount(Number(y))}</th>${columns.map((x) => cell(value(x, y)))}</tr>`,
  )}</tbody></table></div>`;
}
