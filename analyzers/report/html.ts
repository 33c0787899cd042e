import { chapterPage } from './chapter-page.ts';
import { partOf } from './chapter.ts';
import type { Chapter, Lead, PagePart } from './chapter.ts';
import { chartData } from './chart-data.ts';
import { baseRow, comparedRows } from './comparison.ts';
import type { ComparedRow } from './comparison.ts';
import { filesOf } from './envelope.ts';
import type { CompareReport } from './envelope.ts';
import { formatCount, formatNs } from './format-units.ts';
import { headline } from './headline.ts';
import { caveatsOf } from './health-lines.ts';
import { compareBasis } from './html-basis.ts';
import { chartSections } from './html-charts.ts';
import { exposurePlane } from './html-plane.ts';
import { metricTable } from './html-table.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { KEY_METRICS, METRICS } from './metrics.ts';
import { notRenderable } from './renderer.ts';
import type { Renderer } from './renderer.ts';

function lead(report: CompareReport, rows: readonly ComparedRow[]): Lead {
  const { result } = report;
  const said = headline(result);
  const labels = rows.map((row) => row.label);
  const plane = exposurePlane(rows);
  return {
    title: unbroken(said.title, labels),
    details: html`<ul>${said.details.map(({ label, text }) => html`<li><b>${label}</b> ${text}</li>`)}</ul>`,
    facts: [
      ['Trace', filesOf(report)],
      ['Events', formatCount(result.events)],
      ['Duration', formatNs(result.durationNs)],
      ['Hardware', result.hardware],
      ['Cost profile', result.profile],
      ['Accesses', result.access],
    ],
    picture:
      plane === null
        ? null
        : html`<figure class="panel plane-panel"><figcaption><div><h2>Cost against exposure</h2><p class="sub">CPU time against page-seconds of exposure, both on log scales; ringed: no other is both cheaper and safer</p></div></figcaption>${plane}</figure>`,
  };
}

/** The text with its names kept whole: a design's name is not broken at its hyphen. Long names may break. */
function unbroken(text: string, names: readonly string[]): Markup {
  const short = [...names].filter((name) => name.length <= 24).sort((a, b) => b.length - a.length);
  for (const name of short) {
    const at = text.indexOf(name);
    if (at < 0) continue;
    const rest = text.slice(at + name.length);
    return html`${unbroken(text.slice(0, at), names)}<span class="whole">${name}</span>${unbroken(rest, names)}`;
  }
  return html`${text}`;
}

function summary(rows: readonly ComparedRow[]): PagePart {
  const base = baseRow(rows);
  if (base === null) return partOf('summary', 'Summary', null, html`<p class="none">No design was compared.</p>`);
  const several = rows.filter((row) => !row.recorded).length > 1;
  const table = metricTable(rows, KEY_METRICS, {
    caption: several
      ? `Changes are against ${base.label}; the best of each column is set off.`
      : 'The figures that decide.',
    rich: true,
  });
  const all = metricTable(rows, METRICS, { caption: 'Every figure of every design', rich: false });
  return partOf(
    'summary',
    'Summary',
    html`Cost and exposure together: speed without exposure is half an answer.`,
    html`<div class="panel">${table}<details><summary>All figures</summary>${all}</details></div>`,
  );
}

/** What `iorr compare` found, for a page. */
export function compareChapter(report: CompareReport): Chapter {
  const rows = comparedRows(report.result);
  const charts = chartData(report);
  return {
    command: 'compare',
    file: filesOf(report),
    lead: lead(report, rows),
    caveats: caveatsOf(report),
    parts: [summary(rows), ...chartSections(report, rows, charts)],
    basis: [],
    parameters: report.result.parameters,
    charts,
  };
}

/** One file that opens anywhere, without a network, with the charts and all figures in it. */
export const htmlRenderer: Renderer = {
  name: 'html',
  does: 'one self-contained page with charts over time and the distribution of exposure',
  extension: 'html',
  commands: ['compare'],
  render(report) {
    if (report.command !== 'compare') throw notRenderable('html', report.command, ['compare']);
    const { version, health } = report;
    return chapterPage(compareChapter(report), { version, health, basis: compareBasis(report) });
  },
};
