import type { SweepParameter } from '../../replay/sweep/sweep-point.ts';
import type { AnalysisPage } from '../analysis.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, Lead, PagePart } from '../report/chapter.ts';
import { formatCount, formatNumberOf } from '../report/format-units.ts';
import { lineFigure } from '../report/line-chart.ts';
import type { DrawnLine } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { gridTable } from './grid-table.ts';
import { shownMetrics, shownValue } from './sweep-metric-table.ts';
import type { ShownMetric } from './sweep-metric-table.ts';
import type { SweepReport, SweptPoint } from './sweep.ts';

/** Figures that are drawn, lines of a picture, rows of the table; the result file has all. */
const DRAWN = 4;
const LINES = 10;
const SHOWN = 2000;

function lead({ points, hardware, parameters }: SweepReport, file: string): Lead {
  const facts: readonly (readonly [string, string])[] = [
    ['Trace', file],
    ['Hardware', hardware],
    ...parameters.map(({ name, values }) => [name, formatNumberOf(values.length, 'value')] as const),
  ];
  return leadOf(formatNumberOf(points.length, 'point'), facts);
}

function isNumeric({ values }: SweepParameter): boolean {
  return values.every((value) => typeof value === 'number');
}

/** The parameter along the axis: the numbers with most values; the others tell lines apart. */
function axisParameter(parameters: readonly SweepParameter[]): SweepParameter | undefined {
  const numbers = parameters.filter((parameter) => isNumeric(parameter) && parameter.values.length > 1);
  return numbers.toSorted((a, b) => b.values.length - a.values.length)[0];
}

function nameOf(point: SweptPoint, others: readonly SweepParameter[]): string {
  return others.map(({ name }) => `${name} ${point.values[name] ?? ''}`).join(', ');
}

function linesOf(report: SweepReport, metric: ShownMetric, across: SweepParameter): readonly DrawnLine[] {
  const others = report.parameters.filter(({ name, values }) => name !== across.name && values.length > 1);
  const lines = new Map<string, (readonly [x: number, y: number])[]>();
  for (const point of report.points) {
    const value = point.metrics[metric.name];
    if (value === null || value === undefined) continue;
    const name = others.length === 0 ? metric.title : nameOf(point, others);
    const line = lines.get(name) ?? [];
    line.push([Number(point.values[across.name]), value]);
    lines.set(name, line);
  }
  return [...lines].slice(0, LINES).map(([label, points], i) => ({
    label,
    style: lineStyle(i, false),
    points: points.toSorted(([a], [b]) => a - b),
    marks: true,
  }));
}

/** Values that grow by factors want a logarithmic axis. */
function growsByFactors(values: readonly number[]): boolean {
  return values.length > 2 && values.every((value) => value > 0) && Math.max(...values) >= 8 * Math.min(...values);
}

function figureOf(report: SweepReport, metric: ShownMetric, across: SweepParameter): Markup | null {
  const numbers = report.parameters.filter((parameter) => isNumeric(parameter) && parameter.values.length > 1);
  const varied = report.parameters.filter(({ values }) => values.length > 1);
  const lines = linesOf(report, metric, across);
  const places = across.values.map(Number);
  const [up] = numbers.filter((parameter) => parameter !== across);
  const grid =
    varied.length === 2 && up !== undefined
      ? gridTable({
          metric,
          across,
          up,
          value: (x, y) =>
            report.points.find(({ values }) => values[across.name] === x && values[up.name] === y)?.metrics[
              metric.name
            ] ?? null,
        })
      : null;
  const more = report.points.length > lines.reduce((sum, { points }) => sum + points.length, 0);
  const figure = lineFigure(metric.title, `by ${across.name}${more ? `, the first ${LINES} of the others` : ''}`, {
    about: `${metric.title} by ${across.name}`,
    x: {
      title: across.name,
      unit: 'count',
      log: growsByFactors(places),
      base: 2,
      from: Math.min(...places),
      to: Math.max(...places),
    },
    y: { title: metric.title, unit: metric.unit, log: false, base: 10 },
    lines,
  });
  return figure === null ? null : html`${figure}${grid === null ? null : html`<div class="panel">${grid}</div>`}`;
}

/** Null where nothing varies along numbers. */
function figuresSection(report: SweepReport): PagePart | null {
  const across = axisParameter(report.parameters);
  if (across === undefined) return null;
  const figures = shownMetrics(report.metrics).filter(({ name }) => {
    const values = new Set(report.points.map((point) => point.metrics[name] ?? null));
    // the ratio says it
    return values.size > 1 && name !== 'misses';
  });
  const pictures = figures.slice(0, DRAWN).map((metric) => figureOf(report, metric, across));
  const drawn = pictures.filter((picture) => picture !== null);
  if (drawn.length === 0) return null;
  const which =
    figures.length > drawn.length ? `The first ${formatCount(drawn.length)} of those that vary.` : 'What varies.';
  return partOf('figures', 'Figures', html`${which}`, html`${drawn}`);
}

function tableSection({ parameters, points, metrics }: SweepReport): PagePart {
  const figures = shownMetrics(metrics).filter(({ name }) =>
    points.some((point) => (point.metrics[name] ?? null) !== null),
  );
  const [first, ...others] = parameters;
  const cell = (value: number | string | undefined): string =>
    typeof value === 'number' ? formatCount(value) : (value ?? '');
  const more = points.length > SHOWN ? `, the first ${formatCount(SHOWN)}` : '';
  return partOf(
    'points',
    'Points',
    html`All ${formatCount(points.length)}${more}; a click on a heading sorts.`,
    html`<div class="panel"><div class="scroll"><table class="sortable" aria-label="Points"><thead><tr><th scope="col" class="text">${first?.name ?? ''}</th>${others.map(({ name }) => html`<th scope="col">${name}</th>`)}${figures.map(({ title }) => html`<th scope="col">${title}</th>`)}</tr></thead><tbody>${points
      .slice(0, SHOWN)
      .map(
        ({ values, metrics: own }) =>
          html`<tr><th scope="row" data-v="${values[first?.name ?? ''] ?? ''}">${cell(values[first?.name ?? ''])}</th>${others.map(({ name }) => html`<td data-v="${values[name] ?? ''}">${cell(values[name])}</td>`)}${figures.map((metric) => html`<td data-v="${own[metric.name] ?? ''}">${shownValue(metric, own[metric.name] ?? null)}</td>`)}</tr>`,
      )}</tbody></table></div></div>`,
  );
}

/** What `iorr sweep` found, for a page. */
export function sweepChapter(report: SweepReport, file: string): Chapter {
  return {
    command: 'sweep',
    file,
    lead: lead(report, file),
    caveats: report.caveats,
    parts: partsOf(figuresSection(report), tableSection(report)),
    basis: [`trace ${report.trace}`],
    parameters: [],
    charts: null,
  };
}

/** The page of `iorr sweep`: one file that opens anywhere. */
export function sweepHtml(report: SweepReport, page: AnalysisPage): string {
  return chapterPage(sweepChapter(report, page.file), page);
}
