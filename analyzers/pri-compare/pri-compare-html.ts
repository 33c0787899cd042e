import type { PriResult, PriRow } from '../../replay/faults/compare-pri.ts';
import type { LevelSeries } from '../../replay/faults/service/level-over-time.ts';
import { formatCount, formatNs, formatShort } from '../report/format-units.ts';
import { healthSummary } from '../report/health-lines.ts';
import { linesPicture } from '../report/html-lines.ts';
import type { DrawnLine } from '../report/html-lines.ts';
import { pageOf } from '../report/html-page.ts';
import { careOf, figureOf, parameterTable, plainTable } from '../report/html-parts.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import type { PriReport } from './compare-pri-command.ts';
import { QUEUE_COLUMNS, WAIT_COLUMNS, designColumns, priFacts, priHeadline } from './pri-cells.ts';

/** Rows of which pictures show a line each: more can't be told apart. */
const MOST_LINES = 10;
/** Smallest share that a log axis shows: what is not lost is drawn there. */
const LEAST_SHARE = 1e-6;

/** One line a row, of the first rows, as far as they have points. */
function linesOf(
  rows: readonly PriRow[],
  points: (row: PriRow) => readonly (readonly [number, number])[],
): readonly DrawnLine[] {
  return rows.slice(0, MOST_LINES).flatMap((row, i) => {
    const own = points(row);
    return own.length === 0
      ? []
      : [{ label: row.name, style: lineStyle(i, false), points: own, marks: own.length < 40 }];
  });
}

/** Share of the groups that were answered within a time, at the end of each bar. */
function answeredWithin({ responseBars, responseNs }: PriRow): readonly (readonly [number, number])[] {
  let seen = 0;
  return responseBars.map(({ fromNs, count }, i) => {
    seen += count;
    const to = responseBars[i + 1]?.fromNs ?? Math.max(fromNs, responseNs.max);
    return [Math.max(1, to), (100 * seen) / Math.max(1, responseNs.count)] as const;
  });
}

/** Whole decades around values, so that a log axis has its round numbers. */
function decades(values: readonly number[]): { readonly from: number; readonly to: number } {
  const positive = values.filter((value) => value > 0);
  const exponent = (value: number, round: (of: number) => number): number => 10 ** round(Math.log10(value));
  return { from: exponent(Math.min(...positive, 1e9), Math.floor), to: exponent(Math.max(...positive, 10), Math.ceil) };
}

/** From least to most of what lines show, across. */
function across(lines: readonly DrawnLine[]): readonly number[] {
  return lines.flatMap(({ points }) => points.map(([x]) => x));
}

function latency({ rows }: PriResult): Markup {
  const within = linesOf(rows, answeredWithin);
  const bars = linesOf(rows, ({ responseBars }) =>
    responseBars.map(({ fromNs, count }) => [Math.max(1, fromNs), count] as const),
  );
  const title = 'from the last request to the response';
  const x = { title, log: true, base: 10, format: formatNs, ...decades(across([...within, ...bars])) } as const;
  return html`<section class="part" id="latency"><h2>Latency</h2><p class="about">How long the host takes to answer, of the groups that it answered.</p>${figureOf(
    'Answered within',
    'Share of the groups that were answered within a time',
    linesPicture({
      about: 'Share of groups answered within a time',
      x,
      y: { title: 'answered', log: false, base: 10, format: (value) => `${formatCount(value)} %`, to: 100 },
      lines: within,
      height: 300,
      wide: true,
    }),
    within,
    1,
  )}${figureOf(
    'Distribution',
    'Groups by their latency, four bars in each factor of two',
    linesPicture({
      about: 'Groups by latency',
      x,
      y: { title: 'groups', log: false, base: 10, format: formatCount },
      lines: bars,
      wide: true,
    }),
    bars,
    1,
  )}</section>`;
}

/** The highest level of each part of the time. */
function levels({ startNs, binNs, max }: LevelSeries, from: number): readonly (readonly [number, number])[] {
  return max.map((level, i) => [startNs - from + i * binNs, level] as const);
}

function occupancy({ rows }: PriResult): Markup {
  const from = Math.min(...rows.map((row) => row.queueSeries.startNs));
  const queue = linesOf(rows, ({ queueSeries }) => levels(queueSeries, from));
  const host = linesOf(rows, ({ hostSeries }) => levels(hostSeries, from));
  const x = { title: 'since the first request', log: false, base: 10, format: formatNs } as const;
  const y = { log: false, base: 10, format: formatShort } as const;
  return html`<section class="part" id="occupancy"><h2>Occupancy</h2><p class="about">Most that there was at once in each part of the time.</p>${figureOf(
    'Queue',
    'Entries of the hardware queue in use',
    linesPicture({ about: 'Entries in use over time', x, y: { ...y, title: 'entries' }, lines: queue, wide: true }),
    queue,
    1,
  )}${figureOf(
    'Host',
    'Groups that wait for a server or have one',
    linesPicture({ about: 'Groups in the host over time', x, y: { ...y, title: 'groups' }, lines: host, wide: true }),
    host,
    1,
  )}</section>`;
}

/** Rows that differ in nothing but the depth, as one line. */
function depthLines(rows: readonly PriRow[], value: (row: PriRow) => number): readonly DrawnLine[] {
  const families = new Map<string, PriRow[]>();
  for (const row of rows) {
    const name = row.name.replace(/(?:^| )depth=\d+/, '').trim();
    const family = families.get(name);
    if (family === undefined) families.set(name, [row]);
    else family.push(row);
  }
  return [...families]
    .filter(([, family]) => family.length > 1)
    .slice(0, MOST_LINES)
    .map(([name, family], i) => ({
      label: name === '' ? (family[0]?.design.queue ?? '') : name,
      style: lineStyle(i, false),
      points: family.map((row) => [row.design.depth, value(row)] as const).sort((a, b) => a[0] - b[0]),
      marks: true,
    }));
}

function depth({ rows }: PriResult): Markup | null {
  const lost = depthLines(rows, ({ overflowProbability }) => Math.max(LEAST_SHARE, overflowProbability));
  if (lost.length === 0) return null;
  const done = depthLines(rows, ({ doneNs }) => doneNs.mean);
  const x = { title: 'entries of the queue', log: true, base: 2, format: formatCount } as const;
  const share = (value: number): string =>
    value <= LEAST_SHARE ? 'none' : `${Number((100 * value).toPrecision(3))} %`;
  const waits = decades(done.flatMap(({ points }) => points.map(([, y]) => y)));
  return html`<section class="part" id="depth"><h2>Depth</h2><p class="about">What a deeper queue changes.</p>${figureOf(
    'Overflow',
    'Share of the requests that found no place',
    linesPicture({
      about: 'Share of lost requests against queue depth',
      x,
      y: { title: 'lost', log: true, base: 10, format: share, from: LEAST_SHARE, to: 1 },
      lines: lost,
      wide: true,
    }),
    lost,
    1,
  )}${figureOf(
    'Wait',
    "Mean time from a device's wish to its translation, repeated requests included",
    linesPicture({
      about: 'Mean wait against queue depth',
      x,
      y: { title: 'mean wait', log: true, base: 10, format: formatNs, ...waits },
      lines: done,
      wide: true,
    }),
    done,
    1,
  )}</section>`;
}

function figures(pri: PriResult): Markup {
  const { rows } = pri;
  const part = (label: string, own: typeof WAIT_COLUMNS): Markup =>
    plainTable(
      label,
      ['', ...own.map(({ title }) => title)],
      rows.map((row) => [row.name, ...own.map(({ cell }) => cell(row))]),
    );
  return html`<section class="part" id="figures"><h2>Figures</h2><div class="panel"><p class="caption">What devices wait for</p>${part('Waits', [...designColumns(pri), ...WAIT_COLUMNS])}</div><div class="panel"><p class="caption">What the queue and the servers do</p>${part('Queues', QUEUE_COLUMNS)}</div></section>`;
}

function basis(report: PriReport): Markup {
  const { pri } = report.result;
  return html`<section class="part" id="basis"><h2>Basis</h2><div class="panel"><p class="sub">${priFacts(pri)}</p><p class="sub">Health of the trace: ${healthSummary(report.health)}</p><details><summary>Parameters</summary>${parameterTable(pri.parameters)}</details></div></section>`;
}

/** The page of `iorr compare --pri`: one file that opens anywhere. */
export function priCompareHtml(report: PriReport): string {
  const { pri } = report.result;
  const hidden = pri.rows.length - MOST_LINES;
  const notes = hidden > 0 ? [...pri.caveats, `pictures over time show the first ${MOST_LINES} rows`] : pri.caveats;
  const depths = depth(pri);
  return pageOf({
    version: report.version,
    command: 'compare',
    file: report.input.map((input) => input.file).join(', '),
    sections: [
      ['latency', 'Latency'],
      ['occupancy', 'Occupancy'],
      ...(depths === null ? [] : ([['depth', 'Depth']] as const)),
      ['figures', 'Figures'],
      ['basis', 'Basis'],
    ],
    body: html`<div class="lead"><h1>${priHeadline(pri)}</h1></div>${careOf(notes)}${latency(pri)}${occupancy(pri)}${depths}${figures(pri)}${basis(report)}`,
    charts: null,
  });
}
