import type { EffectiveOptions, ReportInput } from '../../traces/envelope.ts';
import type { HealthReport } from '../../traces/health.ts';
import { partOf } from './chapter.ts';
import type { PagePart } from './chapter.ts';
import type { CompareReport } from './envelope.ts';
import { phasesOf } from './chart-data.ts';
import { formatBytes, formatCount, formatNs } from './format-units.ts';
import { HEALTH_KINDS } from './health-lines.ts';
import { parameterTable, sortableTable } from './html-parts.ts';
import type { Cell } from './html-parts.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { reproduceCommand } from './reproduce.ts';

/** What the figures rest on: parameters, trace, options, health, and how to get them again. */

const HEALTH_MEANS: { readonly [K in (typeof HEALTH_KINDS)[number]]: string } = {
  lost: 'events that the source dropped',
  truncated: 'places where the input is cut short',
  malformed: 'entries that could not be read',
  unknown: 'events that are not known',
  ignored: 'known events that a trace does not carry',
};

function parameters(report: CompareReport): Markup {
  const list = report.result.parameters;
  if (list.length === 0) return html`<p class="sub">The model was given no parameter.</p>`;
  return html`<p class="caption">What the model was given: times rest on the costs, hits and exposure on the caches, commands on the designs.</p>${parameterTable(list)}`;
}

/** What a trace says of itself. */
export function inputFacts(input: ReportInput): Markup {
  const { host, clock } = input;
  const facts: readonly (readonly [string, string | null])[] = [
    ['File', input.file],
    ['Events', formatCount(input.events)],
    [
      'Size',
      input.bytes === undefined
        ? null
        : `${formatBytes(input.bytes)}, ${(input.bytes / Math.max(1, input.events)).toFixed(2)} bytes an event`,
    ],
    ['Sources', input.sources.map((source) => `${source.format} (${source.producer})`).join(', ') || null],
    ['Kernel', host.kernel ?? null],
    ['CPUs', host.cpus === undefined ? null : String(host.cpus)],
    ['IOMMU', host.iommu === undefined ? null : `${host.iommu}${host.emulated === true ? ', emulated' : ''}`],
    ['Clock', `${clock.name}, steps of ${formatNs(clock.resolutionNs)}`],
    [
      'Streams',
      Object.entries(input.fidelity)
        .map(([stream, fidelity]) => `${stream} (${fidelity})`)
        .join(', ') || null,
    ],
  ];
  return html`<dl>${facts.map(([name, value]) => (value === null ? null : html`<dt>${name}</dt><dd>${value}</dd>`))}</dl>`;
}

/** Entries of a table; JSON has all. */
const MOST_ENTRIES = 200;

/** What is missing or left out, by name, with the first places. */
export function healthTable(health: HealthReport): Markup {
  const rows = health.entries.slice(0, MOST_ENTRIES).map((entry): readonly Cell[] => [
    [entry.name, null],
    [entry.kind, null],
    [formatCount(entry.count), entry.count],
    [entry.first.join(', '), null],
  ]);
  return sortableTable('Health by name', ['What', 'Kind', 'Count', 'First places'], rows, [1, 3]);
}

/** What of the input is missing, by kind and by name. */
function healthPanel(counts: HealthReport): Markup {
  const damaged = counts.lost + counts.truncated + counts.malformed > 0;
  return html`<h3>Health of the input</h3><p class="sub">${
    damaged
      ? 'Parts of the input are missing: figures are lower bounds.'
      : 'Nothing that belongs to the trace is missing.'
  }</p><ul class="chips">${HEALTH_KINDS.map(
    (kind) =>
      html`<li class="${counts[kind] > 0 && kind !== 'ignored' && kind !== 'unknown' ? 'bad' : 'fine'}" title="${HEALTH_MEANS[kind]}">${formatCount(counts[kind])} ${kind}</li>`,
  )}</ul>${
    counts.entries.length === 0
      ? null
      : html`<details${damaged ? html` open` : null}><summary>By name${counts.entries.length > MOST_ENTRIES ? `, the first ${MOST_ENTRIES}` : ''}</summary>${healthTable(counts)}</details>`
  }`;
}

export function optionList(options: EffectiveOptions): Markup {
  const list = Object.entries(options);
  if (list.length === 0) return html`<p class="sub">All options at their defaults.</p>`;
  return html`<dl>${list.map(
    ([name, value]) =>
      html`<dt>${name}</dt><dd>${value === null ? 'none' : typeof value === 'object' ? value.join(', ') || 'none' : String(value)}</dd>`,
  )}</dl>`;
}

/** The workload's marks as a table; null where the trace has none. */
export function phasesTable(report: CompareReport): Markup | null {
  const phases = phasesOf(report);
  if (phases.length === 0) return null;
  const more = report.result.marks.length - phases.length;
  return html`<details><summary>${phases.length === 1 ? 'The mark' : `The ${formatCount(phases.length)} marks`} of the workload</summary><div class="scroll"><table class="sortable"><thead><tr><th scope="col" class="text">Phase</th><th scope="col">From</th><th scope="col">Lasts</th></tr></thead><tbody>${phases.map(
    (phase) =>
      html`<tr><th scope="row">${phase.name}</th><td data-v="${phase.from}">${phase.from.toFixed(3)} s</td><td data-v="${phase.to - phase.from}">${formatNs(Math.round((phase.to - phase.from) * 1e9))}</td></tr>`,
  )}</tbody></table></div>${more > 0 ? html`<p class="sub">${formatCount(more)} more are not shown.</p>` : null}</details>`;
}

/** Parameters, traces, options, health and the command line of one comparison. */
export function compareBasis(report: CompareReport): PagePart {
  return partOf(
    'basis',
    'What this rests on',
    html`The work asked for comes from the trace. What the hardware makes of it is modelled with the parameters below; an assumed one may be off by a factor.`,
    html`<div class="panel"><h3>Parameters</h3>${parameters(report)}</div>
<div class="panel"><div class="beside even"><div><h3>${report.input.length > 1 ? 'Traces' : 'Trace'}</h3>${report.input.map(inputFacts)}</div><div><h3>Options in effect</h3>${optionList(report.options)}</div></div></div>
<div class="panel">${healthPanel(report.health)}</div>
<div class="panel"><h3>To get this again</h3><pre><code>${reproduceCommand(report)}</code></pre></div>`,
  );
}
