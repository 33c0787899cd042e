import type { OpenTrace } from '../../traces/file.ts';
import { filesOf } from '../report/envelope.ts';
import { formatBytes, formatCount, formatNs, formatNumberOf } from '../report/format-units.ts';
import { healthTable } from '../report/html-basis.ts';
import { healthCaveats, healthSummary } from '../report/health-lines.ts';
import { contentPolicy, pageOf } from '../report/html-page.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { chaptersOf } from '../report/several/several-page.ts';
import { traceKey } from '../report/several/result-document.ts';
import type { ResultDocument } from '../report/several/result-document.ts';
import { hasAddresses } from './event-addresses.ts';
import type { TraceOverview } from './trace-window.ts';
import { VIEW_SCRIPT } from './view-bundle.generated.ts';

function figure(id: string, title: string, sub: string): Markup {
  return html`<figure class="panel"><figcaption><div><h3>${title}</h3><p class="sub">${sub}</p></div><div class="tools"></div></figcaption><div class="plot" id="${id}"></div><div class="legend"></div></figure>`;
}

const HEAD = ['Event', 'Time in s', 'CPU', 'Task', 'Stream', 'What'];

function keyOf(trace: OpenTrace): string {
  return traceKey([{ clock: trace.header.clock, events: trace.eventCount }]);
}

function explorer(trace: OpenTrace, { from, to }: TraceOverview): Markup {
  const addresses = hasAddresses(trace.streamCounts)
    ? figure('view-addresses', 'Addresses', 'IOVAs that events name, by block; blocks without any are left out')
    : null;
  return html`<section class="part" id="explorer" data-trace="${keyOf(trace)}" data-from="${from}" data-to="${to}" data-events="${trace.eventCount}"><h2>The trace</h2><p class="about">Drag in a chart to look closer: what is shown is then read from the trace. Double-click for the whole. <span class="window-status" role="status"></span></p>
${figure('view-events', 'Events', 'Events per second, by stream')}${addresses}
<div class="panel"><figcaption><div><h3>Rows</h3><p class="sub row-status" role="status"></p></div><form class="tools"><label>Event <input inputmode="numeric" size="12" aria-label="Number of an event"></label><button type="submit">Go to</button></form></figcaption>
<div class="event-table"><div class="event-row head" role="row">${HEAD.map((name) => html`<span role="columnheader">${name}</span>`)}</div><div class="event-rows" role="table" tabindex="0" aria-label="Events"></div></div></div></section>`;
}

function care(trace: OpenTrace, others: readonly string[]): Markup | null {
  const said = [...healthCaveats(trace.health), ...others.map((file) => `${file} is a result of another trace.`)];
  if (said.length === 0) return null;
  return html`<div class="care" role="note"><h3>Read with care</h3><ul>${said.map((text) => html`<li>${text}</li>`)}</ul></div>`;
}

/** The page of `iorr view`, and the policy that it is served with. */
export function viewPage(
  file: string,
  trace: OpenTrace,
  overview: TraceOverview,
  documents: readonly ResultDocument[],
  version: string,
): { readonly page: string; readonly policy: string } {
  const key = keyOf(trace);
  const others = documents
    .filter(({ report }) => !report.input.some((input) => traceKey([input]) === key))
    .map((one) => `${one.file} (${filesOf(one.report)})`);
  const chapters = documents.length === 0 ? null : chaptersOf(documents);
  const { health } = trace;
  const facts: readonly (readonly [string, string])[] = [
    ['Size', formatBytes(trace.bytes)],
    ['Duration', formatNs(overview.to - overview.from)],
    ['Sources', trace.header.sources.map(({ format }) => format).join(', ') || 'unknown'],
    ['Health', healthSummary(health)],
  ];
  const names =
    health.entries.length === 0
      ? null
      : html`<details><summary>Health by name</summary><div class="panel">${healthTable(health)}</div></details>`;
  const body = html`<div class="lead"><h1>${file}: ${formatNumberOf(trace.eventCount, 'event')}</h1><p class="facts">${facts.map(([name, value]) => html`<span>${name} <b>${value}</b></span>`)}</p>${names}</div>${care(trace, others)}<noscript><p class="care">The page asks the trace with a script, which did not run.</p></noscript>${explorer(trace, overview)}${
    chapters === null ? null : html`${chapters.overview}${chapters.chapters}${chapters.basis}`
  }`;
  const page = pageOf({
    version,
    command: 'view',
    file,
    sections: [['explorer', 'The trace'], ...(chapters?.sections ?? [])],
    body,
    charts: chapters?.charts ?? [],
    live: VIEW_SCRIPT,
  });
  return { page, policy: `${contentPolicy(VIEW_SCRIPT, true)}; frame-ancestors 'none'` };
}

/** What the command says when it is ready. */
export function readyText(file: string, events: number): string {
  return `${file}: ${formatCount(events)} events; Ctrl-C ends the view\n`;
}
