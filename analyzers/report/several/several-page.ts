import type { ReportInput } from '../../../traces/envelope.ts';
import type { HealthReport } from '../../../traces/health.ts';
import { chapterMarkup, partMarkup, partOf } from '../chapter.ts';
import type { PagePart } from '../chapter.ts';
import type { ChartData } from '../chart-data.ts';
import { filesOf } from '../envelope.ts';
import { formatCount, formatNumberOf } from '../format-units.ts';
import { HEALTH_KINDS, healthCaveats, healthSummary } from '../health-lines.ts';
import { healthTable, inputFacts, optionList } from '../html-basis.ts';
import { pageOf } from '../html-page.ts';
import { sortableTable } from '../html-parts.ts';
import type { Cell } from '../html-parts.ts';
import { html } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { reproduceCommand } from '../reproduce.ts';
import { traceKey } from './result-document.ts';
import type { ResultDocument } from './result-document.ts';

/** A result with its place on the page. */
interface Placed extends ResultDocument {
  readonly id: string;
  /** In the bar at the top: the command, and a number where it is there again. */
  readonly label: string;
}

function placed(documents: readonly ResultDocument[]): readonly Placed[] {
  const sorted = documents.map((one, i) => ({ one, i })).sort((a, b) => a.one.order - b.one.order || a.i - b.i);
  const times = new Map<string, number>();
  return sorted.map(({ one }, i) => {
    const name = one.chapter.command.replace(/^analyze /, '');
    const count = (times.get(name) ?? 0) + 1;
    times.set(name, count);
    return { ...one, id: `r${i + 1}`, label: count === 1 ? name : `${name} ${count}` };
  });
}

/** Inputs of results, each with the health of what was read; the same input once. */
function tracesOf(
  documents: readonly ResultDocument[],
): readonly { readonly inputs: readonly ReportInput[]; readonly health: HealthReport }[] {
  const found = new Map<string, { readonly inputs: readonly ReportInput[]; readonly health: HealthReport }>();
  for (const { report } of documents) {
    const { input: inputs, health } = report;
    if (inputs.length === 0) continue;
    const key = JSON.stringify([traceKey(inputs), healthSummary(health)]);
    if (!found.has(key)) found.set(key, { inputs, health });
  }
  return [...found.values()];
}

function overview(results: readonly Placed[]): PagePart {
  const rows = results.map(({ id, chapter, file }): readonly Cell[] => [
    [html`<a href="#${id}">${chapter.command}</a>`, null],
    [chapter.file, null],
    [chapter.lead.title, null],
    [file, null],
  ]);
  const table = sortableTable('Results', ['Question', 'Trace', 'Answer', 'Result of'], rows, [1, 2, 3]);
  return partOf('overview', 'Overview', null, html`<div class="panel">${table}</div>${healthOf(results)}`);
}

/** What of each input is missing: counts side by side, then names and places. */
function healthOf(results: readonly Placed[]): Markup | null {
  const traces = tracesOf(results);
  if (traces.length === 0) return null;
  const rows = traces.map(({ inputs, health }): readonly Cell[] => [
    [filesOf({ input: inputs }), null],
    ...HEALTH_KINDS.map((kind): Cell => {
      const count = formatCount(health[kind]);
      const bad = health[kind] > 0 && (kind === 'lost' || kind === 'truncated' || kind === 'malformed');
      return [bad ? html`<b class="bad">${count}</b>` : count, health[kind]];
    }),
  ]);
  const names = traces
    .filter(({ health }) => health.entries.length > 0)
    .map(
      ({ inputs, health }) =>
        html`<details><summary>${filesOf({ input: inputs })}</summary>${healthTable(health)}</details>`,
    );
  const table = sortableTable('Health', ['Trace', ...HEALTH_KINDS], rows);
  return html`<h3 class="title">Health of the traces</h3><div class="panel"><p class="caption">Events that the source lost, places that are cut short, entries that could not be read, events that are not known, and known ones that a trace does not carry. Where one of the first three is not 0, figures are lower bounds.</p>${table}${names}</div>`;
}

/** Parameters of all results; one that several rest on with the same value stands there once. */
function parameterPanel(results: readonly Placed[]): Markup {
  const found = new Map<string, { readonly cells: readonly Cell[]; readonly users: Placed[] }>();
  for (const result of results) {
    for (const { name, value, unit, standing, source } of result.chapter.parameters) {
      const key = JSON.stringify([name, value, unit, standing, source]);
      const known = found.get(key);
      if (known !== undefined) known.users.push(result);
      else {
        const badge = html`<span class="standing ${standing}">${standing}</span>`;
        const cells: readonly Cell[] = [
          [name, null],
          [String(value), value],
          [unit, null],
          [badge, null],
          [source, null],
        ];
        found.set(key, { cells, users: [result] });
      }
    }
  }
  if (found.size === 0) return html`<p class="sub">No result rests on a parameter.</p>`;
  const rows = [...found.values()].map(({ cells, users }): readonly Cell[] => [
    ...cells,
    [html`${users.map(({ id, label }, i) => html`${i === 0 ? '' : ', '}<a href="#${id}">${label}</a>`)}`, null],
  ]);
  const head = ['Parameter', 'Value', 'Unit', 'Standing', 'Source', 'Results'];
  return sortableTable('Parameters', head, rows, [2, 3, 4, 5]);
}

function basis(results: readonly Placed[]): PagePart {
  const inputs = tracesOf(results).flatMap((trace) => trace.inputs);
  const facts = [...new Map(inputs.map((input) => [traceKey([input]), input])).values()];
  const runs = results.map(
    ({ id, label, report, chapter }) =>
      html`<details><summary>${label}</summary><p class="sub">${[...chapter.basis, `iorr ${report.version}`].join('; ')} <a href="#${id}">to its figures</a></p>${optionList(report.options)}<pre><code>${reproduceCommand(report)}</code></pre></details>`,
  );
  return partOf(
    'basis',
    'What this rests on',
    html`Parameters with where they come from; an assumed one may be off by a factor.`,
    html`<div class="panel"><h3>Parameters</h3>${parameterPanel(results)}</div><div class="panel traces">${facts.map((input) => html`<div><h3>Trace</h3>${inputFacts(input)}</div>`)}</div><div class="panel"><h3>To get the results again</h3>${runs}</div>`,
  );
}

function chapterOf({ id, chapter, report }: Placed, set: number): Markup {
  const trace = traceKey(report.input);
  const inner = html`<nav class="parts" aria-label="${chapter.command}"><span class="eyebrow">${chapter.command}</span>${chapter.parts.map((part) => html`<a href="#${id}-${part.id}">${part.title}</a>`)}</nav>`;
  return html`<article id="${id}" aria-label="${chapter.command}">${inner}${chapterMarkup(chapter, chapter.parts, { set, prefix: `${id}-`, trace, alone: false })}</article>`;
}

/** The chapters of several results, without what a page has around them. */
export interface Chapters {
  readonly sections: readonly (readonly [id: string, title: string])[];
  readonly overview: Markup;
  readonly chapters: Markup;
  readonly basis: Markup;
  readonly charts: readonly ChartData[];
}

/** Puts results in the order of their kinds. */
export function chaptersOf(documents: readonly ResultDocument[]): Chapters {
  const results = placed(documents);
  const charts: ChartData[] = [];
  const chapters = results.map((result) => {
    const set = charts.length;
    if (result.chapter.charts !== null) charts.push(result.chapter.charts);
    return chapterOf(result, set);
  });
  return {
    sections: [['overview', 'Overview'], ...results.map(({ id, label }) => [id, label] as const), ['basis', 'Basis']],
    overview: partMarkup(overview(results), '', 2),
    chapters: html`${chapters}`,
    basis: partMarkup(basis(results), '', 2),
    charts,
  };
}

function lead(documents: readonly ResultDocument[]): Markup {
  const traces = tracesOf(documents);
  const files = new Map(traces.flatMap(({ inputs }) => inputs.map((input) => [traceKey([input]), input.file])));
  const lost = [...new Set(traces.flatMap(({ health }) => healthCaveats(health)))];
  const title = `${formatNumberOf(documents.length, 'result')} of ${formatNumberOf(files.size, 'trace')}`;
  const care =
    lost.length === 0
      ? null
      : html`<div class="care" role="note"><h3>Read with care</h3><ul>${lost.map((text) => html`<li>${text}</li>`)}</ul></div>`;
  const facts = [...files.values()].map((file) => html`<span>Trace <b>${file}</b></span>`);
  return html`<div class="lead"><h1>${title}</h1><p class="facts">${facts.slice(0, 20)}${files.size > 20 ? html`<span>and ${formatCount(files.size - 20)} more</span>` : null}</p></div>${care}`;
}

/** Several results as one file that opens anywhere. */
export function severalPage(documents: readonly ResultDocument[], version: string): string {
  const { sections, overview: first, chapters, basis: last, charts } = chaptersOf(documents);
  return pageOf({
    version,
    command: 'report',
    file: [...new Set(documents.map(({ chapter }) => chapter.file))].join(', '),
    sections,
    body: html`${lead(documents)}${first}${chapters}${last}`,
    charts,
  });
}
