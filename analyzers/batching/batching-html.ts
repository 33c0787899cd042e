import type { AnalysisPage } from '../analysis.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf } from '../report/chapter.ts';
import type { Chapter, Lead, PagePart } from '../report/chapter.ts';
import { formatCount, formatDecimal, formatNs } from '../report/format-units.ts';
import { sortableTable } from '../report/html-parts.ts';
import { lineFigure } from '../report/line-chart.ts';
import type { DrawnLine, LineAxis } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import type { Spread } from '../sample.ts';
import type { BatchSizes } from './batches.ts';
import type { BatchedReplay, BatchingResult } from './batching.ts';

/** Rows of a table; JSON has all. */
const SHOWN = 200;
const BATCH: LineAxis = { title: 'unmaps of a batch', unit: 'count', log: true, base: 2 };
const WHOLE: Omit<LineAxis, 'unit'> = { title: 'in the whole trace', log: true, base: 10 };

function lead(result: BatchingResult, file: string): Lead {
  const { replayed, hardware, profile, access, unmaps, commands, submitsPerUnmap } = result;
  const [one] = replayed;
  const last = replayed.at(-1);
  const title =
    one === undefined || last === undefined || one.syncs === 0
      ? `${formatCount(unmaps)} unmaps`
      : `Batches of ${formatCount(last.batch)} unmaps wait ${formatDecimal(one.syncs / Math.max(1, last.syncs))} times less often`;
  return leadOf(title, [
    ['Trace', file],
    ['Unmaps', formatCount(unmaps)],
    ['Commands', formatCount(commands)],
    ...(submitsPerUnmap === null ? [] : [['Submits an unmap', formatDecimal(submitsPerUnmap)] as const]),
    ['Hardware', hardware],
    ['Costs', profile],
    ['Accesses', access],
  ]);
}

function lineOf(
  label: string,
  style: number,
  rows: readonly BatchedReplay[],
  value: (row: BatchedReplay) => number | null,
): readonly DrawnLine[] {
  const points = rows.flatMap((row) => {
    const at = value(row);
    return at === null || at <= 0 ? [] : [[row.batch, at] as const];
  });
  return points.length === 0 ? [] : [{ label, style: lineStyle(style, false), points, marks: true }];
}

function replaySection({ replayed }: BatchingResult): PagePart {
  const counts = [
    ...lineOf('commands', 0, replayed, (row) => row.commands),
    ...lineOf('waits', 1, replayed, (row) => row.syncs),
    ...lineOf('doorbells', 2, replayed, (row) => row.doorbells),
    ...lineOf('IOTLB misses', 3, replayed, (row) => row.misses),
  ];
  const times = [
    ...lineOf('processors', 0, replayed, (row) => row.cpuNs),
    ...lineOf('devices wait', 1, replayed, (row) => row.stallNs),
  ];
  const exposed = lineOf('page-seconds', 4, replayed, (row) => row.pageSeconds);
  const rows = sortableTable(
    'Replayed',
    [
      'Unmaps of a batch',
      'Commands',
      'Waits',
      'Doorbells',
      'CPU time',
      'Stall',
      'Misses',
      'Exposed pages',
      'Page-seconds',
      'P99 exposure',
    ],
    replayed.map((row) => [
      [formatCount(row.batch), row.batch],
      [formatCount(row.commands), row.commands],
      [formatCount(row.syncs), row.syncs],
      [formatCount(row.doorbells), row.doorbells],
      [formatNs(row.cpuNs), row.cpuNs],
      [formatNs(row.stallNs), row.stallNs],
      [formatCount(row.misses), row.misses],
      [formatCount(row.exposedPages), row.exposedPages],
      [formatDecimal(row.pageSeconds), row.pageSeconds],
      [formatNs(row.exposureP99Ns), row.exposureP99Ns],
    ]),
  );
  return partOf(
    'replayed',
    'Larger batches',
    html`The trace’s unmaps, flushed so many at a time, replayed on the same hardware: what it saves, and what stays reachable for it.`,
    html`${lineFigure('Work', 'Commands, waits, doorbells and misses', {
      about: 'Work against batch',
      x: BATCH,
      y: { ...WHOLE, unit: 'count' },
      lines: counts,
    })}${lineFigure('Time', 'Of processors that unmap, and of devices that wait for walks', {
      about: 'Time against batch',
      x: BATCH,
      y: { ...WHOLE, unit: 'ns' },
      lines: times,
    })}${lineFigure('Exposure', 'Pages that were unmapped and still cached, times how long', {
      about: 'Exposure against batch',
      x: BATCH,
      y: { title: 'page-seconds', unit: 'page-seconds', log: true, base: 10 },
      lines: exposed,
    })}<div class="panel">${rows}</div>`,
  );
}

function recordedSection(result: BatchingResult): PagePart {
  const spreads: readonly (readonly [string, Spread | null])[] = [
    ['Commands of a submit', result.commandsPerSubmit],
    ['Pages of an unmap', result.unmapPages],
    ['Unmaps that touch', result.runUnmaps],
    ['Pages of those', result.runPages],
  ];
  const recorded = sortableTable(
    'Recorded',
    ['', 'Median', 'P95', 'P99', 'Most'],
    spreads.flatMap(([name, spread]) =>
      spread === null
        ? []
        : [
            [
              [name, null] as const,
              ...[spread.p50, spread.p95, spread.p99, spread.max].map((value) => [formatCount(value), value] as const),
            ],
          ],
    ),
  );
  const groups = (label: string, of: readonly BatchSizes[]): Markup | null =>
    of.length === 0
      ? null
      : html`<div class="panel">${sortableTable(
          label,
          [label, 'Batches', 'Median', 'P95', 'Most'],
          of.slice(0, SHOWN).map(({ name, batches, size }) => [
            [name, null],
            [formatCount(batches), batches],
            [formatCount(size.p50), size.p50],
            [formatCount(size.p95), size.p95],
            [formatCount(size.max), size.max],
          ]),
        )}</div>`;
  return partOf(
    'recorded',
    'Recorded',
    html`How the recorded system batched: unmaps that touch lie one behind the other on a processor.`,
    html`<div class="panel">${recorded}</div>${groups('Commands of a submit', result.commandsByCpu)}${groups('Unmaps that touch', result.unmapsByDevice)}`,
  );
}

/** What `iorr analyze batching` found, for a page. */
export function batchingChapter(result: BatchingResult, file: string): Chapter {
  return {
    command: 'analyze batching',
    file,
    lead: lead(result, file),
    caveats: result.caveats,
    parts: [replaySection(result), recordedSection(result)],
    basis: [],
    parameters: result.parameters,
    charts: null,
  };
}

/** The page of `iorr analyze batching`: one file that opens anywhere. */
export function batchingHtml(result: BatchingResult, page: AnalysisPage): string {
  return chapterPage(batchingChapter(result, page.file), page);
}
