import { printable } from '../report/escape.ts';
import {
  formatBytes,
  formatCount,
  formatDecimal,
  formatNs,
  formatNumberOf,
  formatShare,
} from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import type { DirtyResult } from './dirty.ts';
import type { HarvestEstimates } from './harvest-estimate.ts';
import type { HarvestSummary } from './harvest-tally.ts';
import type { LossFinding } from './harvest-reader.ts';
import type { HeatMap } from './heat-map.ts';
import type { MigrationReport } from './sync-tally.ts';
import type { DirtyRate, Intervals, WriteSummary } from './write-tally.ts';

const COLUMNS = 100;
/** Rows of a table; JSON has all. */
const SHOWN = 12;
const BARS = ' ▁▂▃▄▅▆▇█';
const WIDTH = 60;
const BANDS = 24;

const SOURCES = {
  dma: 'writes of devices',
  ram: "writes of CPUs to the machine's memory, by QEMU",
  harvest: 'what GET_DIRTY_BITMAP reported',
} as const;

/** Values over time as a line of bars, linear from 0; what is not 0 shows. */
export function bars(values: readonly number[], width: number, most = Math.max(...values)): string {
  const group = Math.max(1, Math.ceil(values.length / width));
  let text = '';
  for (let i = 0; i < values.length; i += group) {
    const value = Math.max(...values.slice(i, i + group));
    text += value <= 0 || most <= 0 ? ' ' : BARS[Math.min(8, Math.max(1, Math.ceil((value / most) * 8)))];
  }
  return text;
}

function perSecond(bytes: number): string {
  return `${formatBytes(bytes)}/s`;
}

function rateLines({ rate, writes, pages, bytes }: WriteSummary): string {
  const { binNs, peakBytesPerSecond, meanBytesPerSecond } = rate;
  return [
    `${formatNumberOf(writes, 'write')} to ${formatNumberOf(pages, 'page')} of 4 KiB (${formatBytes(bytes)})`,
    `Dirty rate: mean ${perSecond(meanBytesPerSecond)}, peak ${perSecond(peakBytesPerSecond)}; parts of ${formatNs(binNs)}`,
    `  ${bars(rate.pages, WIDTH)}`,
  ].join('\n');
}

function heatLines({ blockBytes, bands }: HeatMap, { binNs }: DirtyRate): string {
  const most = Math.max(...bands.map((band) => Math.max(...band.pages)));
  const spaces = new Set(bands.map((band) => band.space)).size > 1;
  const shown = [...bands]
    .map((band, place) => ({ band, place, sum: band.pages.reduce((all, count) => all + count, 0) }))
    .sort((a, b) => b.sum - a.sum || a.place - b.place)
    .slice(0, BANDS)
    .sort((a, b) => a.place - b.place);
  const rows = shown.map(({ band }) => [
    `${spaces ? `${printable(band.space, 20)} ` : ''}${band.start}`,
    bars(band.pages, WIDTH, most),
  ]);
  const head = [
    `Blocks of ${formatBytes(blockBytes)}`,
    `Pages written, most ${formatCount(most)} in ${formatNs(binNs)}`,
  ];
  const more = bands.length > BANDS ? `\n${formatNumberOf(bands.length - BANDS, 'colder block')}: --json, --html` : '';
  return `${layOut({ head, rows, align: ['left', 'left'] })}${more}`;
}

function workingSet({ workingSet: points, pages }: WriteSummary): string {
  return layOut({
    head: ['Window', 'Pages written in it', '', 'Of all'],
    rows: points
      .filter((_, i) => i % Math.ceil(points.length / SHOWN) === 0 || i === points.length - 1)
      .map((point) => [
        formatNs(point.windowNs),
        formatDecimal(point.pages),
        formatBytes(point.pages * 4096),
        formatShare(point.pages, pages),
      ]),
    left: 0,
  });
}

function hotSets({ hotSets: sets }: WriteSummary): string {
  return layOut({
    head: ['Page size', 'Written', '50 % of writes', '90 %', '99 %', 'Memory for 90 %'],
    rows: sets.map((set) => [
      formatBytes(set.pageBytes),
      formatCount(set.pages),
      formatCount(set.hot50),
      formatCount(set.hot90),
      formatCount(set.hot99),
      formatBytes(set.hot90 * set.pageBytes),
    ]),
    left: 0,
  });
}

function overReporting({ count, overReporting: rows }: Intervals): string {
  return layOut({
    head: [
      'Leaf size',
      `Dirty leaves, ${formatNumberOf(count, 'harvest')}`,
      'Reported',
      'Written',
      'Reported / written',
    ],
    rows: rows.map((row) => [
      formatBytes(row.leafBytes),
      formatCount(row.leaves),
      formatBytes(row.reportedPages * 4096),
      formatBytes(row.writtenPages * 4096),
      row.factor === null ? '' : `×${formatDecimal(row.factor)}`,
    ]),
    left: 0,
  });
}

function estimateLines({ memoryBytes, profile, rows }: HarvestEstimates): string {
  return layOut({
    head: [
      `A harvest of ${formatBytes(memoryBytes)}`,
      'Entries read',
      'Cleared',
      'Flushes',
      'Bitmap',
      'Time',
      'Each GiB',
    ],
    rows: [
      ...rows.map((row) => [
        formatBytes(row.leafBytes),
        formatCount(row.entries),
        formatCount(row.cleared),
        formatDecimal(row.flushes),
        formatBytes(row.bitmapBytes),
        formatNs(row.ns),
        formatNs(row.nsPerGib),
      ]),
      { heading: `times by the cost profile ${profile}, one thread` },
    ],
  });
}

function migrationLines(migration: MigrationReport): string {
  const { syncs, compared, agreed, pages, reported, passes, passesReported, sentPages } = migration;
  const rows = syncs
    .slice(0, 40)
    .map((sync) => [
      formatCount(sync.event),
      formatNs(sync.startNs),
      formatNs(sync.durationNs),
      formatCount(sync.pages),
      formatCount(sync.reported),
      sync.agrees === null ? 'begins' : sync.agrees ? '' : 'differs',
    ]);
  const told = passesReported === null ? '' : `, ${formatCount(passesReported)} by its own account`;
  return [
    layOut({ head: ['Event', 'Synchronised at', 'Took', 'Pages logged', 'Counted by QEMU', ''], rows, left: 0 }),
    ...(syncs.length > 40 ? [`${formatNumberOf(syncs.length - 40, 'more row')}: --json`] : []),
    `${formatCount(agreed)} of ${formatCount(compared)} agree; ${formatCount(pages)} pages logged, ${formatCount(reported)} counted${pages === reported || reported === 0 ? '' : ` (${formatDecimal((pages / reported - 1) * 100)} %)`}`,
    ...syncs.flatMap((sync) => (sync.why === null ? [] : [`  event ${sync.event}: ${sync.why}`])),
    `${passes === null ? 'No pass was logged' : formatNumberOf(passes, 'pass', 'passes')}${told}; ${formatNumberOf(sentPages, 'page')} sent`,
  ].join('\n');
}

function harvestLines(harvests: HarvestSummary): string {
  const { calls, clearing, walkedBytes, entries, bits, bitmapBytes, flushes, durationNs, nsPerGib } = harvests;
  const rows = [
    ['Calls', formatCount(calls), `${formatCount(clearing)} clear what they read`],
    ['Mapped memory', formatBytes(walkedBytes), 'in the ranges asked for'],
    ['Entries read', formatCount(entries), entries === null ? 'too many to count' : ''],
    ['Bitmaps', formatBytes(bitmapBytes), `${formatNumberOf(bits, 'bit')} set`],
    ['Flushes', formatCount(flushes), ''],
    ['In the kernel', formatNs(durationNs), nsPerGib === null ? '' : `${formatNs(nsPerGib)} for each GiB mapped`],
  ];
  return layOut({ head: ['GET_DIRTY_BITMAP', '', ''], rows, align: ['left', 'right', 'left'] });
}

function findingLines(findings: readonly LossFinding[], { lost }: DirtyResult): string {
  const head = `Lost: ${formatBytes(lost.bytes)} in ${formatNumberOf(lost.calls, 'call')} would not have been migrated; ${formatBytes(lost.defectBytes)} in ${formatNumberOf(lost.defectCalls, 'call')} by a defect of the kernel`;
  const causes = LOSSES.flatMap(({ kind, cleared, fate }) => {
    const of = findings.filter((finding) => finding.kind === kind && finding.cleared === cleared);
    const [first] = of;
    if (first === undefined) return [];
    const more = of.length > SHOWN ? [`${formatNumberOf(of.length - SHOWN, 'more call')}: --json`] : [];
    return [['', ...wrapText(`${first.why}: ${fate}`, COLUMNS), findingTable(of.slice(0, SHOWN)), ...more].join('\n')];
  });
  return [head, ...causes].join('\n');
}

/** What a defect of the kernel lost comes first. */
const LOSSES = [
  { kind: 'defect', cleared: true, fate: 'forgotten, so that nobody would have migrated them' },
  { kind: 'bitmap', cleared: true, fate: 'forgotten, so that nobody would have migrated them' },
  { kind: 'defect', cleared: false, fate: 'not cleared, so that a later call may tell' },
  { kind: 'bitmap', cleared: false, fate: 'not cleared, so that a later call may tell' },
] as const;

function findingTable(findings: readonly LossFinding[]): string {
  return layOut({
    head: ['GET_DIRTY_BITMAP', 'Pages not reported', '', '', 'Bytes', 'In the recorded bitmap'],
    rows: findings.map(({ event, pages, pageBytes, bytes, ranges, moreRanges, seen }) => {
      const more = ranges.length - 1 + moreRanges;
      return [
        `event ${formatCount(event)}`,
        formatCount(pages),
        `of ${formatBytes(pageBytes)}`,
        `${ranges[0]?.iova ?? ''}${more > 0 ? ` and ${formatNumberOf(more, 'more range')}` : ''}`,
        formatBytes(bytes),
        seen === true ? 'missing' : 'not recorded',
      ];
    }),
    align: ['left', 'right', 'left', 'left', 'right', 'left'],
  });
}

function caveatLines(caveat: string): readonly string[] {
  return wrapText(printable(caveat, 500), COLUMNS - 4).map((line, i) => `${i === 0 ? '  ! ' : '    '}${line}`);
}

export function dirtyText(file: string, result: DirtyResult): string {
  const { source, writes, harvested, estimates, migration, harvests, findings, measuredRates, caveats } = result;
  const parts = [
    `iorr analyze dirty  ${printable(file, 200)}${source === null ? '' : `\n${SOURCES[source]}`}`,
    ...(writes === null ? [] : [rateLines(writes)]),
    ...(measuredRates.length === 0
      ? []
      : [
          `Measured by QEMU: ${measuredRates
            .slice(0, 5)
            .map(({ timeNs, bytesPerSecond }) => `${perSecond(bytesPerSecond)} at ${formatNs(timeNs)}`)
            .join(', ')}`,
        ]),
    ...(writes === null ? [] : [heatLines(writes.heat, writes.rate), workingSet(writes), hotSets(writes)]),
    ...(harvested === null ? [] : [overReporting(harvested)]),
    ...(estimates === null ? [] : [estimateLines(estimates)]),
    ...(migration === null ? [] : [migrationLines(migration)]),
    ...(harvests === null ? [] : [harvestLines(harvests)]),
    ...(findings.length === 0 ? [] : [findingLines(findings, result)]),
    ...(caveats.length === 0 ? [] : [['Read with care', ...caveats.flatMap(caveatLines)].join('\n')]),
  ];
  return `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`;
}
