import type { ReplayResult } from '../../replay/results.ts';
import type { ReplayReport } from './envelope.ts';
import { printable } from './escape.ts';
import { formatCount, formatDecimal, formatNs, formatShare } from './format-units.ts';
import { paintFor } from './paint.ts';
import { layOut, wrapText } from './plain-table.ts';
import type { RenderOptions } from './renderer.ts';
import { MIN_COLUMNS, caveatLines, healthLines, standingLines, titleLine } from './terminal-lines.ts';

type Line = readonly [name: string, value: string, note: string];
interface Section {
  readonly title: string;
  /** Empty: the trace can't tell. */
  readonly lines: readonly Line[];
}

function sections(result: ReplayResult): readonly Section[] {
  const { iotlb, exposure, stale } = result;
  const types = Object.entries(result.commandsByType).sort(([a], [b]) => (a < b ? -1 : 1));
  const missed = (name: string, count: number): Line => [
    `  ${name}`,
    formatCount(count),
    formatShare(count, iotlb?.misses ?? null),
  ];
  const ended = (name: string, count: number): Line => [
    `  ended by ${name}`,
    formatCount(count),
    formatShare(count, exposure?.pages ?? null),
  ];
  return [
    {
      title: 'Commands',
      lines: [
        ['Commands', formatCount(result.commands), ''],
        ...types.map(
          ([type, count]): Line => [
            `  ${printable(type, 40)}`,
            formatCount(count),
            formatShare(count, result.commands),
          ],
        ),
        ['Syncs', formatCount(result.syncs === 0 && result.commands > 0 ? null : result.syncs), ''],
        // Commands without a doorbell: the source did not show them.
        ['Doorbells', formatCount(result.doorbells === 0 && result.commands > 0 ? null : result.doorbells), ''],
        ['Wasted', formatCount(result.wasted), formatShare(result.wasted, result.commands)],
        ['Faults', formatCount(result.faults), ''],
      ],
    },
    {
      title: 'IOTLB',
      lines:
        iotlb === null
          ? []
          : [
              ['Lookups', formatCount(iotlb.lookups), ''],
              ['Hits', formatCount(iotlb.hits), formatShare(iotlb.hits, iotlb.lookups)],
              ['Misses', formatCount(iotlb.misses), formatShare(iotlb.misses, iotlb.lookups)],
              missed('compulsory', iotlb.causes.compulsory),
              missed('capacity', iotlb.causes.capacity),
              missed('conflict', iotlb.causes.conflict),
              missed('invalidation', iotlb.causes.invalidation),
              ...Object.entries(result.caches?.['iotlb']?.invalidatedBy ?? {}).map(([kind, count]) =>
                missed(`  by ${printable(kind, 30)}`, count),
              ),
              ['Walks', formatCount(result.walks), ''],
              ['Reads of walks', formatCount(result.walkReads), ''],
            ],
    },
    ...(result.caches === null
      ? []
      : [{ title: 'Other caches: misses of lookups', lines: otherCaches(result.caches) }]),
    {
      title: 'Exposure',
      lines:
        exposure === null
          ? []
          : [
              ['Exposed pages', formatCount(exposure.pages), formatShare(exposure.pages, exposure.unmappedPages)],
              ['Page-seconds', formatDecimal(exposure.pageSeconds), ''],
              ['P50', formatNs(exposure.ns.p50), ''],
              ['P95', formatNs(exposure.ns.p95), ''],
              ['P99', formatNs(exposure.ns.p99), ''],
              ['Longest', formatNs(exposure.ns.max), ''],
              ['Most at once', formatCount(exposure.maxAtOnce), ''],
              ended('command', exposure.endedBy.command),
              ended('replacement', exposure.endedBy.replacement),
              ended('overflow', exposure.endedBy.overflow),
              ended('remap', exposure.endedBy.remap),
              ended('nothing yet', exposure.endedBy.open),
              ['Stale translations', formatCount(stale?.translations ?? null), ''],
              ...(stale === null || stale.translations === 0
                ? []
                : [['Oldest stale', formatNs(stale.maxAgeNs), ''] as const]),
            ],
    },
    ...(result.deviceExposure === null
      ? []
      : [{ title: "Exposure in devices' caches", lines: inDevices(result.deviceExposure) }]),
  ];
}

/** One line a cache, and its misses by cause. */
function otherCaches(caches: NonNullable<ReplayResult['caches']>): readonly Line[] {
  return Object.entries(caches)
    .filter(([name]) => name !== 'iotlb')
    .flatMap(([name, { lookups, misses, causes }]): Line[] => [
      [name, `${formatCount(misses)} of ${formatCount(lookups)}`, formatShare(misses, lookups)],
      ...Object.entries(causes)
        .filter(([, count]) => count > 0)
        .map(([cause, count]): Line => [`  ${cause}`, formatCount(count), formatShare(count, misses)]),
    ]);
}

function inDevices(exposure: NonNullable<ReplayResult['deviceExposure']>): readonly Line[] {
  return [
    ['Exposed pages', formatCount(exposure.pages), formatShare(exposure.pages, exposure.unmappedPages)],
    ['Page-seconds', formatDecimal(exposure.pageSeconds), ''],
    ['P99', formatNs(exposure.ns.p99), ''],
    ['Longest', formatNs(exposure.ns.max), ''],
  ];
}

export function renderReplay(report: ReplayReport, options: RenderOptions): string {
  const { result } = report;
  const paint = paintFor(options.colour);
  const columns = Math.max(MIN_COLUMNS, options.columns);
  const facts = `${formatCount(result.events)} events in ${formatNs(result.durationNs)}, hardware ${printable(result.hardware, 60)}`;
  const rows = sections(result).flatMap(({ title, lines }, i) => [
    ...(i === 0 ? [] : [{ heading: '' }]),
    { heading: lines.length > 0 ? paint.strong(title) : `${paint.strong(title)}  ${paint.warn('unknown')}` },
    ...lines.map(([name, value, note]) => [`  ${name}`, value, paint.faint(note)]),
  ]);
  const caveats = caveatLines(report, paint, columns);
  const lines = [
    titleLine(report, paint),
    ...wrapText(facts, columns).map((line) => paint.faint(line)),
    '',
    // The head is empty: its line is dropped.
    layOut({ head: ['', '', ''], rows }).replace(/^\n+/, ''),
    ...(caveats.length > 0 ? ['', paint.strong('Read with care'), ...caveats] : []),
    '',
    ...standingLines(result.parameters, paint, columns),
    ...healthLines(report, paint),
    paint.faint(`Replayed in ${formatNs(result.wallNs)}: ${formatCount(result.eventsPerSecond)} events/s`),
  ];
  return `${lines.join('\n')}\n`;
}
