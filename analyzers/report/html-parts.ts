import type { ProfileParameter } from '../../replay/results.ts';
import { formatCount } from './format-units.ts';
import type { LineStyle } from './line-styles.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { shellWord } from './reproduce.ts';

/** What pages of one analysis are made of. */

/** What is shown, and its number for sorting. */
export type Cell = readonly [shown: string | Markup, value: number | null];

/** Columns that would lie far apart over the whole width of a page. */
const FEW_COLUMNS = 3;

/** An event by its number in the trace: where `iorr view` shows the page, a way to it. */
export function eventLink(event: number): Markup {
  return html`<a class="event" href="#event=${event}">${formatCount(event)}</a>`;
}

/** What to type to see an event and what follows it. */
export function eventCommand(file: string, event: number): Markup {
  return html`<code class="command">iorr cat ${shellWord(file)} --from-event ${event} --limit 20</code>`;
}

/** A table whose first column is words, like those named in `text`; a click on a heading sorts it. */
export function sortableTable(
  label: string,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  text: readonly number[] = [],
): Markup {
  const [first = '', ...others] = head;
  const words = (i: number): boolean => text.includes(i + 1);
  return html`<div class="scroll"><table class="sortable${head.length <= FEW_COLUMNS ? ' few' : ''}" aria-label="${label}"><thead><tr><th scope="col" class="text">${first}</th>${others.map((name, i) => (words(i) ? html`<th scope="col" class="text">${name}</th>` : html`<th scope="col">${name}</th>`))}</tr></thead><tbody>${rows.map(
    ([name, ...cells]) =>
      html`<tr>${rowHead(name)}${cells.map(([shown, value], i) => (words(i) ? html`<td class="text">${shown}</td>` : html`<td data-v="${value ?? ''}">${shown}</td>`))}</tr>`,
  )}</tbody></table></div>`;
}

/** The first cell of a row: words that sort as such, or a number. */
function rowHead([shown, value]: Cell = ['', null]): Markup {
  return value === null ? html`<th scope="row">${shown}</th>` : html`<th scope="row" data-v="${value}">${shown}</th>`;
}

/** A table of few rows, in the order in which they are. */
export function plainTable(label: string, head: readonly string[], rows: readonly (readonly string[])[]): Markup {
  const [first = '', ...others] = head;
  return html`<div class="scroll"><table class="${head.length <= FEW_COLUMNS ? 'few' : ''}" aria-label="${label}"><thead><tr><th scope="col" class="text">${first}</th>${others.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${rows.map(
    ([name = '', ...cells]) =>
      html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

/** What the figures of a page rest on, with unit, standing and source. */
export function parameterTable(parameters: readonly ProfileParameter[]): Markup {
  return html`<div class="scroll"><table class="sortable" aria-label="Parameters"><thead><tr><th scope="col" class="text">Parameter</th><th scope="col">Value</th><th scope="col" class="text">Unit</th><th scope="col" class="text">Standing</th><th scope="col" class="text">Source</th></tr></thead><tbody>${parameters.map(
    (parameter) =>
      html`<tr><th scope="row">${parameter.name}</th><td data-v="${parameter.value}">${String(parameter.value)}</td><td class="text">${parameter.unit}</td><td class="text"><span class="standing ${parameter.standing}">${parameter.standing}</span></td><td class="text">${parameter.source}</td></tr>`,
  )}</tbody></table></div>`;
}

/** A drawn picture; null where that is. */
export function figureOf(heading: string, sub: string, picture: Markup | null): Markup | null {
  if (picture === null) return null;
  return html`<figure class="panel"><figcaption><div><h3>${heading}</h3><p class="sub">${sub}</p></div></figcaption>${picture}</figure>`;
}

/** The keys of a drawn picture, as charts have them. */
export function legendOf(rows: readonly { readonly label: string; readonly style: LineStyle }[]): Markup {
  return html`<div class="legend">${rows.map(({ label, style }) => html`<span class="row ${style.className}"><svg class="key ${style.className}" viewBox="0 0 22 10" aria-hidden="true"><line x1="0" y1="5" x2="22" y2="5" stroke-width="${style.width + 0.75}" stroke-dasharray="${style.dash.join(' ')}"/></svg><span class="name">${label}</span></span>`)}</div>`;
}
