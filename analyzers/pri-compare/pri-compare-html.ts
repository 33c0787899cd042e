import type { PriResult, PriRow } from '../../replay/faults/compare-pri.ts';
import type { LevelSeries } from '../../replay/faults/service/level-over-time.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, PagePart } from '../report/chapter.ts';
import { plainTable } from '../report/html-parts.ts';
import { lineFigure } from '../report/line-chart.ts';
import type { DrawnLine, LineAxis } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { filesOf } from '../report/envelope.ts';
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
    return [Math.max(1, to), seen / Math.max(1, responseNs.count)] as const;
  });
}

function latency({ rows }: PriResult): PagePart {
  const within = linesOf(rows, answeredWithin);
  const bars = linesOf(rows, ({ responseBars }) =>
    responseBars.map(({ fromNs, count }) => [Math.max(1, fromNs), count] as const),
  );
  const x: LineAxis = { title: 'from the last request to the response', unit: 'ns', log: true, base: 10 };
  return partOf(
    'latency',
    'Latency',
    html`How long the host takes to answer, of the groups that it answered.`,
    html`${lineFigure('Answered within', 'Share of the groups that were answered within a time', {
      about: 'Share of groups answered within a time',
      x,
      y: { title: 'answered', unit: 'share', log: false, base: 10, to: 1 },
      lines: within,
    })}${lineFigure('Distribution', 'Groups by their latency, four bars in each factor of two', {
      about: 'Groups by latency',
      x,
      y: { title: 'groups', unit: 'count', log: false, base: 10 },
      lines: bars,
    })}`,
  );
}

/** The highest level of each part of the time. */
function levels({ startNs, binNs, max }: LevelSeries, from: number): readonly (readonly [number, number])[] {
  return max.map((level, i) => [startNs - from + i * binNs, level] as const);
}

function occupancy({ rows }: PriResult): PagePart {
  const from = Math.min(...rows.map((row) => row.queueSeries.startNs));
  const queue = linesOf(rows, ({ queueSeries }) => levels(queueSeries, from));
  const host = linesOf(rows, ({ hostSeries }) => levels(hostSeries, from));
  const x: LineAxis = { title: 'since the first request', unit: 'ns', log: false, base: 10 };
  const y: Omit<LineAxis, 'title'> = { unit: 'count', log: false, base: 10 };
  return partOf(
    'occupancy',
    'Occupancy',
    html`Most that there was at once in each part of the time.`,
    html`${lineFigure('Queue', 'Entries of the hardware queue in use', {
      about: 'Entries in use over time',
      x,
      y: { ...y, title: 'entries' },
      lines: queue,
    })}${lineFigure('Host', 'Groups that wait for a server or have one', {
      about: 'Groups in the host over time',
      x,
      y: { ...y, title: 'groups' },
      lines: host,
    })}`,
  );
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

function depth({ rows }: PriResult): PagePart | null {
  const lost = depthLines(rows, ({ overflowProbability }) => Math.max(LEAST_SHARE, overflowProbability));
  if (lost.length === 0) return null;
  const done = depthLines(rows, ({ doneNs }) => doneNs.mean);
  const x: LineAxis = { title: 'entries of the queue', unit: 'count', log: true, base: 2 };
  return partOf(
    'depth',
    'Depth',
    html`What a deeper queue changes.`,
    html`${lineFigure('Overflow', 'Share of the requests that found no place; none is drawn at the foot', {
      about: 'Share of lost requests against queue depth',
      x,
      y: { title: 'lost', unit: 'probability', log: true, base: 10, from: LEAST_SHARE, to: 1 },
      lines: lost,
    })}${lineFigure('Wait', "Mean time from a device's wish to its translation, repeated requests included", {
      about: 'Mean wait against queue depth',
      x,
      y: { title: 'mean wait', unit: 'ns', log: true, base: 10 },
      lines: done,
    })}`,
  );
}

function figures(pri: PriResult): PagePart {
  const { rows } = pri;
  const part = (label: string, own: typeof WAIT_COLUMNS): Markup =>
    plainTable(
      label,
      ['', ...own.map(({ title }) => title)],
      rows.map((row) => [row.name, ...own.map(({ cell }) => cell(row))]),
    );
  return partOf(
    'figures',
    'Figures',
    null,
    html`<div class="panel"><p class="caption">What devices wait for</p>${part('Waits', [...designColumns(pri), ...WAIT_COLUMNS])}</div><div class="panel"><p class="caption">What the queue and the servers do</p>${part('Queues', QUEUE_COLUMNS)}</div>`,
  );
}

/** What `iorr compare --pri` found, for a page. */
export function priCompareChapter(pri: PriResult, file: string): Chapter {
  const hidden = pri.rows.length - MOST_LINES;
  return {
    command: 'compare --pri',
    file,
    lead: leadOf(priHeadline(pri), []),
    caveats: hidden > 0 ? [...pri.caveats, `pictures over time show the first ${MOST_LINES} rows`] : pri.caveats,
    parts: partsOf(latency(pri), occupancy(pri), depth(pri), figures(pri)),
    basis: [priFacts(pri)],
    parameters: pri.parameters,
    charts: null,
  };
}

/** The page of `iorr compare --pri`: one file that opens anywhere. */
export function priCompareHtml(report: PriReport): string {
  return chapterPage(priCompareChapter(report.result.pri, filesOf(report)), report);
}
