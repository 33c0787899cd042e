import { sentence } from './escape.ts';
import { linesLegend } from './html-lines.ts';
import type { DrawnLine } from './html-lines.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

/** What pages of one analysis are made of. */

/** What is shown, and its number for sorting. */
export type Cell = readonly [text: string, value: number | null];

/** The headline, and facts below it. */
export function leadOf(title: string, facts: readonly (readonly [name: string, value: string])[]): Markup {
  return html`<div class="lead"><h1>${title}</h1><p class="facts">${facts.map(([name, value]) => html`<span>${name} <b>${value}</b></span>`)}</p></div>`;
}

/** Null without a caveat. */
export function careOf(caveats: readonly string[]): Markup | null {
  if (caveats.length === 0) return null;
  return html`<div class="care" role="note"><h2>Read with care</h2><ul>${caveats.map((caveat) => html`<li>${sentence(caveat)}</li>`)}</ul></div>`;
}

/** A table whose first column is text; a click on a heading sorts it. */
export function sortableTable(label: string, head: readonly string[], rows: readonly (readonly Cell[])[]): Markup {
  const [first = '', ...others] = head;
  return html`<div class="scroll"><table class="sortable" aria-label="${label}"><thead><tr><th scope="col" class="text">${first}</th>${others.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${rows.map(
    ([name, ...cells]) =>
      html`<tr><th scope="row" data-v="${name?.[1] ?? ''}">${name?.[0] ?? ''}</th>${cells.map(([text, value]) => html`<td data-v="${value ?? ''}">${text}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

/** Null where the picture is; a legend only where there are several lines. */
export function figureOf(
  heading: string,
  sub: string,
  picture: Markup | null,
  lines: readonly DrawnLine[] = [],
): Markup | null {
  if (picture === null) return null;
  return html`<figure class="panel"><figcaption><div><h3>${heading}</h3><p class="sub">${sub}</p></div></figcaption>${picture}${lines.length > 1 ? linesLegend(lines) : null}</figure>`;
}
