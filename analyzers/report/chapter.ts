import type { HealthReport } from '../../traces/health.ts';
import type { ProfileParameter } from '../../replay/results.ts';
import type { ChartData } from './chart-data.ts';
import { sentence } from './escape.ts';
import { healthSummary } from './health-lines.ts';
import { parameterTable } from './html-parts.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

/** A section that a reader can jump to. */
export interface PagePart {
  readonly id: string;
  readonly title: string;
  /** What it shows, below its title. */
  readonly about: Markup | null;
  readonly body: Markup;
}

/** The headline of a result, and what is said right below it. */
export interface Lead {
  readonly title: string | Markup;
  readonly details: Markup | null;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Beside the headline. */
  readonly picture: Markup | null;
}

/** What one result puts on a page: alone, or as one chapter of several. */
export interface Chapter {
  /** `compare`, `analyze dirty`. */
  readonly command: string;
  /** The traces. */
  readonly file: string;
  readonly lead: Lead;
  readonly caveats: readonly string[];
  readonly parts: readonly PagePart[];
  /** Sentences on what the figures rest on, beside the parameters. */
  readonly basis: readonly string[];
  readonly parameters: readonly ProfileParameter[];
  /** What the script draws; null: pictures that are drawn already. */
  readonly charts: ChartData | null;
}

export function partOf(id: string, title: string, about: Markup | null, body: Markup): PagePart {
  return { id, title, about, body };
}

/** A headline with facts below it. */
export function leadOf(title: string, facts: Lead['facts']): Lead {
  return { title, details: null, facts, picture: null };
}

/** Those that there are. */
export function partsOf(...parts: readonly (PagePart | null)[]): readonly PagePart[] {
  return parts.filter((part) => part !== null);
}

/** What the figures of one result rest on. */
export function basisPart({ basis, parameters }: Chapter, health: HealthReport): PagePart {
  const said = [...basis.map((text) => sentence(text)), `Health of the trace: ${healthSummary(health)}.`];
  const table =
    parameters.length === 0
      ? null
      : html`<details><summary>Parameters</summary>${parameterTable(parameters)}</details>`;
  return partOf(
    'basis',
    'Basis',
    null,
    html`<div class="panel">${said.map((text) => html`<p class="sub">${text}</p>`)}${table}</div>`,
  );
}

function leadMarkup({ title, details, facts, picture }: Lead, level: 1 | 2): Markup {
  const heading = level === 1 ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`;
  const list = html`<p class="facts">${facts.map(([name, value]) => html`<span>${name} <b>${value}</b></span>`)}</p>`;
  return html`<div class="lead${picture === null ? '' : ' with-plane'}"><div>${heading}${details}${facts.length === 0 ? null : list}</div>${picture}</div>`;
}

/** Null without a caveat. */
function careMarkup(caveats: readonly string[]): Markup | null {
  if (caveats.length === 0) return null;
  return html`<div class="care" role="note"><h3>Read with care</h3><ul>${caveats.map((caveat) => html`<li>${sentence(caveat)}</li>`)}</ul></div>`;
}

const NO_SCRIPT = html`<noscript><p class="care">Charts need the script of this file, which did not run. All figures are in the tables.</p></noscript>`;

/**
 * A chapter with its parts. `set`: which of the page's chart data it draws. `trace`: charts over the time of one trace share
 * their zoom. `prefix` is put before the parts' ids, which are
 * then unique among several chapters. Alone on its page its title is the page's.
 */
export function chapterMarkup(
  chapter: Chapter,
  parts: readonly PagePart[],
  {
    set,
    prefix,
    trace,
    alone,
  }: { readonly set: number; readonly prefix: string; readonly trace: string; readonly alone: boolean },
): Markup {
  const { lead, caveats, charts } = chapter;
  const inner = parts.map((part) => partMarkup(part, prefix, alone ? 2 : 3));
  return html`<div class="chapter" data-trace="${trace}" data-set="${charts === null ? '' : set}">${leadMarkup(lead, alone ? 1 : 2)}${careMarkup(caveats)}${charts === null ? null : NO_SCRIPT}${inner}</div>`;
}

export function partMarkup({ id, title, about, body }: PagePart, prefix: string, level: 2 | 3): Markup {
  const heading = level === 2 ? html`<h2>${title}</h2>` : html`<h3 class="title">${title}</h3>`;
  return html`<section class="part" id="${prefix}${id}">${heading}${about === null ? null : html`<p class="about">${about}</p>`}${body}</section>`;
}
