import { createHash } from 'node:crypto';
import { CLIENT_SCRIPT, CLIENT_STYLE, UPLOT_LICENCE, UPLOT_VERSION } from './client-bundle.generated.ts';
import type { ChartData } from './chart-data.ts';
import { inertJson } from './escape.ts';
import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';

/** One page: what its frame needs to know. */
export interface PageParts {
  /** Name and version of the program. */
  readonly version: string;
  /** `compare`, `analyze dirty`. */
  readonly command: string;
  /** The traces. */
  readonly file: string;
  /** Sections by their element's id, in order; the first has the figures. */
  readonly sections: readonly (readonly [id: string, title: string])[];
  readonly body: Markup;
  /** What the script draws, by `data-set` of the body's chapters. */
  readonly charts: readonly ChartData[];
  /** A script that may ask its own server for more, instead of the one in the page. */
  readonly live?: string;
}

function sourceHash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/**
 * Nothing may load, run or be sent but the one script and the one style sheet that the page holds, known by their hashes. The
 * script may set no HTML at all (trusted types without a policy).
 */
export function contentPolicy(script: string, live: boolean): string {
  return [
    "default-src 'none'",
    `script-src ${sourceHash(script)}`,
    ...(live ? ["connect-src 'self'"] : []),
    `style-src ${sourceHash(CLIENT_STYLE)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

/** Longer than what a trace may put on the page, and ours: escaped without the limit. */
function escapedLicence(): string {
  return UPLOT_LICENCE.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function licence(): Markup {
  return html`<details><summary>Licence of the charts</summary><p>uPlot ${UPLOT_VERSION}</p><pre>${trusted(escapedLicence())}</pre></details>`;
}

/** A whole document that holds all that it shows. */
export function pageOf({ version, command, file, sections, body, charts, live }: PageParts): string {
  const script = live ?? CLIENT_SCRIPT;
  const holds =
    live === undefined
      ? 'This file holds all that it shows and asks no network for anything.'
      : 'Served from this machine to this machine; it shows no more than the one trace.';
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(contentPolicy(script, live !== undefined))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="iorr ${version}">
<title>${file}: iorr ${command}</title>
<style>${trusted(CLIENT_STYLE)}</style>
</head>
<body>
<a class="skip" href="#${sections[0]?.[0] ?? ''}">To the figures</a>
<header class="top"><div class="bar"><span class="brand">iorr<small>${command}</small></span><nav aria-label="Sections">${sections.map(([id, title]) => html`<a href="#${id}">${title}</a>`)}</nav><button type="button" id="theme" hidden>Theme</button></div></header>
<main>
${body}
</main>
<footer>Made by iorr ${version}. ${holds}${licence()}</footer>
<script type="application/json" id="iorr-data">${trusted(inertJson(charts))}</script>
<script>${trusted(script)}</script>
</body>
</html>
`.markup;
}
