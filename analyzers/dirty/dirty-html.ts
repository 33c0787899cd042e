import type { AnalysisPage } from '../analysis.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, Lead, PagePart } from '../report/chapter.ts';
import {
  formatBytes,
  formatCount,
  formatDecimal,
  formatNs,
  formatNumberOf,
  formatShare,
} from '../report/format-units.ts';
import { eventLink, figureOf, sortableTable } from '../report/html-parts.ts';
import { lineFigure, timeAxis } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import type { DirtyResult } from './dirty.ts';
import { heatPicture } from './heat-picture.ts';
import type { HarvestEstimates } from './harvest-estimate.ts';
import type { HarvestSummary } from './harvest-tally.ts';
import { PAGE_BYTES } from './leaf-sets.ts';
import type { MigrationReport } from './sync-tally.ts';
import type { Intervals, WriteSummary } from './write-tally.ts';

/** Rows of a table on the page; JSON has all. */
const SHOWN = 200;

const SOURCES = {
  dma: 'writes of devices',
  ram: "writes of CPUs to the machine's memory, by QEMU",
  harvest: 'what GET_DIRTY_BITMAP reported',
} as const;

function perSecond(bytes: number): string {
  return `${formatBytes(bytes)}/s`;
}

function title({ lost, writes, harvests }: DirtyResult): string {
  if (lost.bytes > 0) return `${formatBytes(lost.bytes)} of dirty memory would not have been migrated`;
  if (writes !== null) {
    return `${formatBytes(writes.bytes)} written, at most ${perSecond(writes.rate.peakBytesPerSecond)}`;
  }
  return harvests === null ? 'Nothing was written' : `${formatNumberOf(harvests.calls, 'harvest')}, nothing was dirty`;
}

function lead(result: DirtyResult, file: string): Lead {
  const { source, writes, startNs, endNs } = result;
  const passes = result.migration?.passes;
  const facts: readonly (readonly [string, string])[] = [
    ['Trace', file],
    ...(source === null ? [] : [['Pages', SOURCES[source]] as const]),
    ['Duration', formatNs(endNs - startNs)],
    ...(writes === null
      ? []
      : ([
          ['Writes', formatCount(writes.writes)],
          ['Mean rate', perSecond(writes.rate.meanBytesPerSecond)],
        ] as const)),
    ...(typeof passes === 'number' ? [['Passes', formatCount(passes)] as const] : []),
  ];
  return leadOf(title(result), facts);
}

function timeSection({ rate, heat }: WriteSummary): PagePart {
  const { startNs, binNs, pages } = rate;
  const perPage = PAGE_BYTES / (binNs / 1e9);
  const points = pages.map((count, i) => [startNs + (i + 0.5) * binNs, count * perPage] as const);
  const figure = lineFigure('Dirty rate', 'A page counts once in each part', {
    about: 'Dirty rate over time',
    x: timeAxis(startNs, startNs + pages.length * binNs),
    y: { title: 'bytes a second', unit: 'bytes/s', log: false, base: 2 },
    lines: [{ label: 'dirty rate', style: lineStyle(0, false), points, area: true }],
  });
  return partOf(
    'time',
    'Time',
    html`Different pages of 4 KiB in each ${formatNs(binNs)}.`,
    html`${figure}${figureOf(
      'Addresses against time',
      `Blocks of ${formatBytes(heat.blockBytes)} in which something was written`,
      heatPicture(heat),
    )}`,
  );
}

function setsSection({ workingSet, hotSets, pages }: WriteSummary): PagePart {
  const figure = lineFigure('Working set', 'Written in a window of time', {
    about: 'Working set against window length',
    x: { title: 'length of the window', unit: 'ns', log: true, base: 10 },
    y: { title: 'bytes written in it', unit: 'bytes', log: true, base: 2 },
    lines: [
      {
        label: 'working set',
        style: lineStyle(0, false),
        points: workingSet
          .filter((point) => point.pages > 0)
          .map((point) => [point.windowNs, point.pages * PAGE_BYTES] as const),
        marks: true,
      },
    ],
  });
  const windows = sortableTable(
    'Working set',
    ['Window', 'Pages', 'Memory', 'Of all'],
    workingSet.map((point) => [
      [formatNs(point.windowNs), point.windowNs],
      [formatDecimal(point.pages), point.pages],
      [formatBytes(point.pages * PAGE_BYTES), point.pages],
      [formatShare(point.pages, pages), point.pages],
    ]),
  );
  const hot = sortableTable(
    'Hot pages',
    ['Page size', 'Written', 'Half of the writes', '90 %', '99 %', 'Memory for 90 %'],
    hotSets.map((set) => [
      [formatBytes(set.pageBytes), set.pageBytes],
      [formatCount(set.pages), set.pages],
      [formatCount(set.hot50), set.hot50],
      [formatCount(set.hot90), set.hot90],
      [formatCount(set.hot99), set.hot99],
      [formatBytes(set.hot90 * set.pageBytes), set.hot90 * set.pageBytes],
    ]),
  );
  return partOf(
    'sets',
    'Working set',
    html`How much is written in a window of time, on average over all windows of that length; and the fewest pages that take most of the writes.`,
    html`<div class="beside">${figure}<div class="panel"><details open><summary>Figures</summary>${windows}</details></div></div><div class="panel"><p class="caption">Hottest pages of each size</p>${hot}</div>`,
  );
}

function estimateTable({ memoryBytes, profile, rows }: HarvestEstimates): Markup {
  const cost = sortableTable(
    'Cost of a harvest',
    ['Leaf size', 'Entries read', 'Tables', 'Cleared', 'Flushes', 'Bitmap', 'Time', 'Each GiB'],
    rows.map((row) => [
      [formatBytes(row.leafBytes), row.leafBytes],
      [formatCount(row.entries), row.entries],
      [formatCount(row.tables), row.tables],
      [formatCount(row.cleared), row.cleared],
      [formatDecimal(row.flushes), row.flushes],
      [formatBytes(row.bitmapBytes), row.bitmapBytes],
      [formatNs(row.ns), row.ns],
      [formatNs(row.nsPerGib), row.nsPerGib],
    ]),
  );
  return html`<div class="panel"><p class="caption">One harvest of ${formatBytes(memoryBytes)}, as dirty as the mean; times by the cost profile ${profile}, one thread</p>${cost}</div>`;
}

function leavesSection({ count, overReporting }: Intervals, estimates: HarvestEstimates | null): PagePart {
  const known = overReporting.filter((row) => row.factor !== null);
  const figure = lineFigure('Over-reporting', 'By leaf size', {
    about: 'Over-reporting by leaf size',
    x: { title: 'leaf size', unit: 'bytes', log: true, base: 2, from: 4096, to: 2 ** 30 },
    y: { title: 'reported / written', unit: 'times', log: true, base: 10, from: 1 },
    lines: [
      {
        label: 'reported / written',
        style: lineStyle(1, false),
        points: known.map((row) => [row.leafBytes, row.factor ?? 1] as const),
        marks: true,
      },
    ],
  });
  const rows = sortableTable(
    'Over-reporting',
    ['Leaf size', 'Dirty leaves', 'Reported', 'Written', 'Factor'],
    overReporting.map((row) => [
      [formatBytes(row.leafBytes), row.leafBytes],
      [formatCount(row.leaves), row.leaves],
      [formatBytes(row.reportedPages * PAGE_BYTES), row.reportedPages],
      [formatBytes(row.writtenPages * PAGE_BYTES), row.writtenPages],
      [row.factor === null ? '' : `×${formatDecimal(row.factor)}`, row.factor],
    ]),
  );
  return partOf(
    'leaves',
    'Leaf size',
    html`A leaf has one dirty bit: what ${formatNumberOf(count, 'harvest')} would have reported with leaves of one size, against what was written between them.`,
    html`<div class="beside">${figure}<div class="panel">${rows}</div></div>${estimates === null ? null : estimateTable(estimates)}`,
  );
}

function migrationSection({
  syncs,
  compared,
  agreed,
  explained,
  passes,
  passesReported,
  sentPages,
}: MigrationReport): PagePart {
  const figure = lineFigure('Convergence', 'What each pass has to send again', {
    about: 'Dirty pages found by each synchronisation',
    x: timeAxis(syncs[0]?.startNs ?? 0, syncs.at(-1)?.startNs ?? 1),
    y: { title: 'became dirty since the one before', unit: 'bytes', log: true, base: 2 },
    lines: [
      {
        label: 'dirty at each synchronisation',
        style: lineStyle(0, false),
        points: syncs
          .slice(1)
          .filter((sync) => sync.pages > 0)
          .map((sync) => [sync.startNs, sync.pages * PAGE_BYTES] as const),
        marks: true,
      },
    ],
  });
  const rows = sortableTable(
    'Synchronisations',
    ['Event', 'At', 'Took', 'Pages by the log', 'Counted by QEMU', 'Still to be sent'],
    syncs.slice(0, SHOWN).map((sync) => [
      [html`${eventLink(sync.event)}${sync.agrees === false ? ' differs' : ''}`, sync.event],
      [formatNs(sync.startNs), sync.startNs],
      [formatNs(sync.durationNs), sync.durationNs],
      [formatCount(sync.pages), sync.pages],
      [formatCount(sync.reported), sync.reported],
      [formatCount(sync.waiting), sync.waiting],
    ]),
  );
  const exceptions = syncs.flatMap((sync) =>
    sync.why === null ? [] : [html`<li>Event ${formatCount(sync.event)}: ${sync.why}</li>`],
  );
  const told = passesReported === null ? '' : `, ${formatCount(passesReported)} by QEMU’s own account`;
  return partOf(
    'migration',
    'Migration',
    html`${formatCount(agreed)} of ${formatNumberOf(compared, 'synchronisation')} found as many pages as the log has; ${formatCount(explained)} more differ by pages that were still to be sent. ${passes === null ? 'No pass was logged' : formatNumberOf(passes, 'pass', 'passes')}${told}; ${formatNumberOf(sentPages, 'page')} sent.`,
    html`${figure}<div class="panel"><details><summary>All synchronisations</summary>${rows}</details>${exceptions.length === 0 ? null : html`<ul>${exceptions.slice(0, SHOWN)}</ul>`}</div>`,
  );
}

function harvestSection(harvests: HarvestSummary): PagePart {
  const { calls, clearing, walkedBytes, entries, bits, bitmapBytes, flushes, durationNs, nsPerGib, list } = harvests;
  const facts: readonly (readonly [string, string])[] = [
    ['Calls', `${formatCount(calls)}, ${formatCount(clearing)} clear what they read`],
    ['Mapped memory', formatBytes(walkedBytes)],
    ['Entries read', entries === null ? 'too many to count' : formatCount(entries)],
    ['Bitmaps', `${formatBytes(bitmapBytes)}, ${formatNumberOf(bits, 'bit')} set`],
    ['Flushes', formatCount(flushes)],
    [
      'In the kernel',
      `${formatNs(durationNs)}${nsPerGib === null ? '' : `, ${formatNs(nsPerGib)} for each GiB mapped`}`,
    ],
  ];
  const rows = sortableTable(
    'Calls',
    ['Event', 'At', 'From', 'Mapped', 'Entries', 'Bits', 'Bitmap', 'Took'],
    list.slice(0, SHOWN).map((call) => [
      [eventLink(call.event), call.event],
      [formatNs(call.timeNs), call.timeNs],
      [call.iova, null],
      [formatBytes(call.walkedBytes), call.walkedBytes],
      [formatCount(call.entries), call.entries],
      [formatCount(call.bits), call.bits],
      [formatBytes(call.bitmapBytes), call.bitmapBytes],
      [formatNs(call.durationNs), call.durationNs],
    ]),
  );
  return partOf(
    'harvests',
    'Harvests',
    html`Calls of GET_DIRTY_BITMAP, what they looked at and how long they took.`,
    html`<div class="panel"><dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl><details><summary>Calls${calls > SHOWN ? `, the first ${SHOWN}` : ''}</summary>${rows}</details></div>`,
  );
}

function lossSection({ findings, lost }: DirtyResult): PagePart {
  const rows = findings.slice(0, SHOWN).map((finding) => {
    const where = finding.ranges
      .map((range) => range.iova)
      .slice(0, 4)
      .join(', ');
    const more = finding.ranges.length + finding.moreRanges > 4 ? ' …' : '';
    return html`<tr><th scope="row" data-v="${finding.event}">${eventLink(finding.event)}</th><td data-v="${finding.bytes}">${formatBytes(finding.bytes)}</td><td data-v="${finding.pages}">${formatCount(finding.pages)} of ${formatBytes(finding.pageBytes)}</td><td class="text">${where}${more}</td><td class="text">${finding.cleared ? 'yes' : 'no'}</td><td class="text">${finding.quirk ?? 'the bitmap can’t be written'}</td></tr>`;
  });
  return partOf(
    'lost',
    'Lost',
    html`Dirty pages that a call did not report: ${formatBytes(lost.bytes)} in ${formatNumberOf(lost.calls, 'call')} are forgotten, so that nobody would migrate them, ${formatBytes(lost.defectBytes)} of it by a defect of the kernel.`,
    html`<div class="panel"><div class="scroll"><table class="sortable" aria-label="Lost"><thead><tr><th scope="col" class="text">Event</th><th scope="col">Bytes</th><th scope="col">Pages</th><th scope="col" class="text">From</th><th scope="col" class="text">Forgotten</th><th scope="col" class="text">Cause</th></tr></thead><tbody>${rows}</tbody></table></div></div>`,
  );
}

/** What `iorr analyze dirty` found, for a page. */
export function dirtyChapter(result: DirtyResult, file: string): Chapter {
  const { writes, harvested, migration, harvests, findings } = result;
  return {
    command: 'analyze dirty',
    file,
    lead: lead(result, file),
    caveats: result.caveats,
    parts: partsOf(
      findings.length === 0 ? null : lossSection(result),
      writes === null ? null : timeSection(writes),
      writes === null ? null : setsSection(writes),
      harvested === null ? null : leavesSection(harvested, result.estimates),
      migration === null ? null : migrationSection(migration),
      harvests === null ? null : harvestSection(harvests),
    ),
    basis: [],
    parameters: result.estimates?.parameters ?? [],
    charts: null,
  };
}

/** The page of `iorr analyze dirty`: one file that opens anywhere. */
export function dirtyHtml(result: DirtyResult, page: AnalysisPage): string {
  return chapterPage(dirtyChapter(result, page.file), page);
}
