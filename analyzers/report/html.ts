import { chartData } from './chart-data.ts';
import { baseRow, comparedRows } from './comparison.ts';
import type { ComparedRow } from './comparison.ts';
import type { CompareReport } from './envelope.ts';
import { formatCount, formatNs } from './format-units.ts';
import { headline } from './headline.ts';
import { caveatsOf } from './health-lines.ts';
import { basisSection } from './html-basis.ts';
import { chartSections } from './html-charts.ts';
import { pageOf } from './html-page.ts';
import { exposurePlane } from './html-plane.ts';
import { metricTable } from './html-table.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { KEY_METRICS, METRICS } from './metrics.ts';
import { notRenderable } from './renderer.ts';
import type { Renderer } from './renderer.ts';

function lead(report: CompareReport, rows: readonly ComparedRow[]): Markup {
  const { result } = report;
  const said = headline(result);
  const facts: readonly (readonly [string, string])[] = [
    ['Trace', report.input.map((input) => input.file).join(', ')],
    ['Events', formatCount(result.events)],
    ['Duration', formatNs(result.durationNs)],
    ['Hardware', result.hardware],
    ['Cost profile', result.profile],
    ['Accesses', result.access],
  ];
  const labels = rows.map((row) => row.label);
  const plane = exposurePlane(rows);
  const picture =
    plane === null
      ? null
      : html`<figure class="panel plane-panel"><figcaption><div><h2>Cost against exposure</h2><p class="sub">CPU time against page-seconds of exposure, both on log scales; ringed: no other is both cheaper and safer</p></div></figcaption>${plane}</figure>`;
  return html`<div class="lead${plane === null ? '' : ' with-plane'}"><div><h1>${unbroken(said.title, labels)}</h1><ul>${said.details.map(({ label, text }) => html`<li><b>${label}</b> ${text}</li>`)}</ul><p class="facts">${facts.map(([name, value]) => html`<span>${name} <b>${value}</b></span>`)}</p></div>${picture}</div>`;
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

function care(report: CompareReport): Markup | null {
  const caveats = caveatsOf(report);
  if (caveats.length === 0) return null;
  return html`<div class="care" role="note"><h2>Read with care</h2><ul>${caveats.map((caveat) => html`<li>${caveat}</li>`)}</ul></div>`;
}

function summary(rows: readonly ComparedRow[]): Markup {
  const base = baseRow(rows);
  if (base === null)
    return html`<section class="part" id="summary"><h2>Summary</h2><p class="none">No design was compared.</p></section>`;
  const several = rows.filter((row) => !row.recorded).length > 1;
  const table = metricTable(rows, KEY_METRICS, {
    caption: several
      ? `Changes are against ${base.label}; the best of each column is set off.`
      : 'The figures that decide.',
    rich: true,
  });
  const all = metricTable(rows, METRICS, { caption: 'Every figure of every design', rich: false });
  return html`<section class="part" id="summary"><h2>Summary</h2><p class="about">Cost and exposure together: speed without exposure is half an answer.</p>
<div class="panel">${table}<details><summary>All figures</summary>${all}</details></div></section>`;
}

function page(report: CompareReport): string {
  const rows = comparedRows(report.result);
  const data = chartData(report);
  return pageOf({
    version: report.version,
    command: 'compare',
    file: report.input.map((input) => input.file).join(', '),
    sections: [
      ['summary', 'Summary'],
      ['work', 'Work'],
      ['time', 'Time'],
      ['iotlb', 'IOTLB'],
      ['exposure', 'Exposure'],
      ['basis', 'Basis'],
    ],
    body: html`${lead(report, rows)}
${care(report)}
<noscript><p class="care">Charts need the script of this file, which did not run. All figures are in the tables.</p></noscript>
${summary(rows)}
${chartSections(report, rows, data)}
${basisSection(report)}`,
    charts: data,
  });
}

/** One file that opens anywhere, without a network, with the charts and all figures in it. */
export const htmlRenderer: Renderer = {
  name: 'html',
  does: 'one self-contained page with charts over time and the distribution of exposure',
  extension: 'html',
  commands: ['compare'],
  render(report) {
    if (report.command !== 'compare') throw notRenderable('html', report.command, ['compare']);
    return page(report);
  },
};
