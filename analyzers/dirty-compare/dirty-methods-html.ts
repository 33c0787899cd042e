import type { DirtyResult, DirtyRow } from '../../replay/dirty/dirty-result.ts';
import { formatBytes, formatCount, formatNs } from '../report/format-units.ts';
import { healthSummary } from '../report/health-lines.ts';
import { linesPicture } from '../report/html-lines.ts';
import type { DrawnLine } from '../report/html-lines.ts';
import { pageOf } from '../report/html-page.ts';
import { careOf, figureOf, parameterTable, plainTable } from '../report/html-parts.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import type { DirtyReport } from './compare-dirty-command.ts';
import { crossoverSection } from './crossover-html.ts';
import {
  PLAN_TITLES,
  TIME_COLUMNS,
  WORK_COLUMNS,
  dirtyFacts,
  dirtyHeadline,
  planRows,
  timeRows,
} from './dirty-cells.ts';

const PAGE_BYTES = 4096;
/** Points of a line: more than a picture has room for is only weight. */
const MOST_POINTS = 600;

/** One line a method, of those that have a point. */
function linesOf(
  { methods }: DirtyResult,
  points: (row: DirtyRow) => readonly (readonly [number, number])[],
): readonly DrawnLine[] {
  return methods.flatMap((row, i) => {
    const all = points(row);
    const every = Math.max(1, Math.ceil(all.length / MOST_POINTS));
    const shown = all.filter((_, at) => at % every === 0 || at === all.length - 1);
    return shown.length === 0
      ? []
      : [{ label: row.name, style: lineStyle(i, false), points: shown, marks: shown.length < 60 }];
  });
}

/** What is to be sent, pass by pass, since the migration began. */
function remaining({ threads }: DirtyRow): readonly (readonly [number, number])[] {
  const passes = threads[0]?.migration.passes ?? [];
  const [first, last] = [passes[0], passes.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [
    ...passes.map((pass) => [pass.startNs - first.startNs, pass.sent * PAGE_BYTES] as const),
    [last.startNs + last.durationNs - first.startNs, last.reported * PAGE_BYTES] as const,
  ].filter(([, bytes]) => bytes > 0);
}

/** The recorded migration in the same way: what became dirty between QEMU's synchronisations. */
function recordedLine(result: DirtyResult): readonly DrawnLine[] {
  const { recorded, interval, startNs, methods } = result;
  const series = methods[0]?.series;
  if (recorded === null || interval !== 'recorded' || series === undefined) return [];
  const points = series.t
    .map((t, i) => [t - startNs, (series.written[i] ?? 0) * PAGE_BYTES] as const)
    .filter(([, bytes]) => bytes > 0);
  const first = recorded.memoryPages === null ? [] : [[0, recorded.memoryPages * PAGE_BYTES] as const];
  const style = lineStyle(methods.length, false);
  return [{ label: 'as recorded', style, points: [...first, ...points], marks: points.length < 60 }];
}

/** Time up to which the picture goes: what never ends would press the others into a corner. */
function lookedAt(result: DirtyResult): number {
  const ends = result.methods.flatMap(({ threads }) => {
    const migration = threads[0]?.migration;
    return migration?.converged === true ? [migration.totalNs] : [];
  });
  return ends.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...ends) * 1.5;
}

function convergence(result: DirtyResult): Markup {
  const until = lookedAt(result);
  const all = [...linesOf(result, remaining), ...recordedLine(result)];
  const lines = all.map((line) => ({ ...line, points: line.points.filter(([at]) => at <= until) }));
  const cut = all.filter((line, i) => line.points.length > (lines[i]?.points.length ?? 0)).map(({ label }) => label);
  const limit = (result.linkBytesPerSecond * result.downtimeLimitNs) / 1e9;
  const picture = linesPicture({
    about: 'What each pass has to send',
    x: { title: 'since the migration began', log: false, base: 10, format: formatNs },
    y: { title: 'to be sent', log: true, base: 2, format: (value) => formatBytes(value) },
    lines,
    limit: { at: limit, label: `sent within ${formatNs(result.downtimeLimitNs)}` },
    height: 320,
    wide: true,
  });
  const goesOn =
    cut.length === 0 ? '' : `; ${cut.join(', ')} ${cut.length === 1 ? 'goes' : 'go'} on beyond the picture`;
  return html`<section class="part" id="convergence"><h2>Convergence</h2><p class="about">A migration ends when what a pass has to send fits into the downtime that is allowed, the broken line.</p>${figureOf(
    'Pre-copy',
    `Memory to be sent at the beginning of each pass, with ${formatCount(result.methods[0]?.threads[0]?.threads ?? 1)} harvest thread${goesOn}`,
    picture,
    lines,
    1,
  )}</section>`;
}

function harvests(result: DirtyResult): Markup {
  const times = linesOf(result, ({ series, threads }) =>
    series.t.map((t, i) => [t, threads[0]?.wallNs[i] ?? 0] as const).filter(([, ns]) => ns > 0),
  );
  const found = linesOf(result, ({ series }) =>
    series.t.map((t, i) => [t, (series.reported[i] ?? 0) * PAGE_BYTES] as const).filter(([, bytes]) => bytes > 0),
  );
  const scaling = linesOf(result, ({ threads }) =>
    threads.map((one) => [one.threads, one.harvestNs / Math.max(1, one.wallNs.length)] as const),
  );
  const from = Math.min(
    ...result.methods.flatMap((row) => row.series.t.slice(0, 1)),
    result.startNs + result.durationNs,
  );
  const time = { title: 'time', log: false, base: 10, format: formatNs, from } as const;
  const bytes = { log: true, base: 2, format: (value: number) => formatBytes(value) } as const;
  const ns = { log: true, base: 10, format: formatNs } as const;
  const several = (result.methods[0]?.threads.length ?? 0) > 1;
  const threads = linesPicture({
    about: 'Harvest time against threads',
    x: { title: 'threads', log: true, base: 2, format: formatCount },
    y: { ...ns, title: 'mean harvest' },
    lines: scaling,
    wide: true,
  });
  return html`<section class="part" id="harvests"><h2>Harvests</h2><p class="about">What each harvest reported, and how long it took.</p>${figureOf(
    'Reported',
    'Memory that a harvest calls dirty',
    linesPicture({
      about: 'Reported by each harvest',
      x: time,
      y: { ...bytes, title: 'reported' },
      lines: found,
      wide: true,
    }),
    found,
    1,
  )}${figureOf(
    'Duration',
    'With the first number of threads',
    linesPicture({
      about: 'Duration of each harvest',
      x: time,
      y: { ...ns, title: 'duration' },
      lines: times,
      wide: true,
    }),
    times,
    1,
  )}${several ? figureOf('Threads', 'Mean duration of a harvest', threads, scaling, 1) : null}</section>`;
}

function figures(result: DirtyResult): Markup {
  const plans = planRows(result);
  const work = result.methods.map((row) => [row.name, ...WORK_COLUMNS.map(({ cell }) => cell(row))]);
  return html`<section class="part" id="figures"><h2>Figures</h2><div class="panel"><p class="caption">Time, and the migration</p>${plainTable('Time', ['method', ...TIME_COLUMNS.map(({ title }) => title)], timeRows(result))}</div><div class="panel"><p class="caption">What a method reports and does</p>${plainTable('Work', ['method', ...WORK_COLUMNS.map(({ title }) => title)], work)}</div>${
    plans.length === 0
      ? null
      : html`<div class="panel"><p class="caption">One harvest of memory that is not there</p>${plainTable('Plans', PLAN_TITLES, plans)}</div>`
  }</section>`;
}

function basis(report: DirtyReport): Markup {
  return html`<section class="part" id="basis"><h2>Basis</h2><div class="panel"><p class="sub">${dirtyFacts(report.result.dirty)}</p><p class="sub">Health of the trace: ${healthSummary(report.health)}</p><details><summary>Parameters</summary>${parameterTable(report.result.dirty.parameters)}</details></div></section>`;
}

/** The page of `iorr compare --dirty`: one file that opens anywhere. */
export function dirtyMethodsHtml(report: DirtyReport): string {
  const { dirty } = report.result;
  const crossover = crossoverSection(dirty);
  return pageOf({
    version: report.version,
    command: 'compare',
    file: report.input.map((input) => input.file).join(', '),
    sections: [
      ['convergence', 'Convergence'],
      ['harvests', 'Harvests'],
      ...(crossover === null ? [] : ([['crossover', 'Crossover']] as const)),
      ['figures', 'Figures'],
      ['basis', 'Basis'],
    ],
    body: html`<div class="lead"><h1>${dirtyHeadline(dirty)}</h1></div>${careOf(dirty.caveats)}${convergence(dirty)}${harvests(dirty)}${crossover}${figures(dirty)}${basis(report)}`,
    charts: null,
  });
}
