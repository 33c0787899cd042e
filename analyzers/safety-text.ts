import type { SafetyFinding } from '../replay/engine/safety-findings.ts';
import type { SafetyResult } from '../replay/engine/safety.ts';
import type { UnflushedCounts } from '../replay/engine/unmap-ledger.ts';
import { printable } from './report/escape.ts';
import {
  formatBytes,
  formatCount,
  formatDecimal,
  formatNs,
  formatNumberOf,
  formatShare,
} from './report/format-units.ts';
import { layOut, wrapText } from './report/plain-table.ts';

const COLUMNS = 100;
/** Findings shown of each kind; JSON has more. */
const SHOWN = 5;

type Line = readonly [name: string, value: string, note: string];

/** What was found, in one line. */
export function safetyVerdict({ findingsByKind, stale, commands, unflushed, unflushedDevices }: SafetyResult): string {
  const { missing = 0, late = 0, redundant = 0 } = findingsByKind;
  const served =
    stale === null ? 'stale translations unknown' : formatNumberOf(stale.translations, 'stale translation');
  if (commands.iotlb === 0) return `${served}; no commands, so missing ones can't be told`;
  if (unflushed === null && unflushedDevices === null && missing === 0) {
    return `${served}; commands that are missing can't be told`;
  }
  return `${served}; ${formatCount(missing)} commands missing, ${formatCount(late)} late, ${formatCount(redundant)} redundant`;
}

function exposureLines({ exposure, deviceExposure, stale }: SafetyResult): Line[] {
  if (exposure === null) return [['Exposure', 'unknown', '']];
  const { endedBy, ns } = exposure;
  return [
    ['Unmapped pages', formatCount(exposure.unmappedPages), ''],
    ['Exposed pages', formatCount(exposure.pages), formatShare(exposure.pages, exposure.unmappedPages)],
    ['Page-seconds', formatDecimal(exposure.pageSeconds), ''],
    ['Exposed for', formatNs(ns.p50), `P95 ${formatNs(ns.p95)}, P99 ${formatNs(ns.p99)}, longest ${formatNs(ns.max)}`],
    ['Most at once', formatCount(exposure.maxAtOnce), ''],
    ...Object.entries(endedBy)
      .filter(([, pages]) => pages > 0)
      .map(
        ([how, pages]): Line => [
          how === 'open' ? '  still open' : `  ended by ${how}`,
          formatCount(pages),
          formatShare(pages, exposure.pages),
        ],
      ),
    ...(deviceExposure === null
      ? []
      : [
          [
            'In device TLBs',
            formatCount(deviceExposure.pages),
            `${formatDecimal(deviceExposure.pageSeconds)} page-seconds, longest ${formatNs(deviceExposure.ns.max)}`,
          ] as const,
        ]),
    ['Stale translations', formatCount(stale?.translations ?? null), oldest(stale?.maxAgeNs ?? 0)],
  ];
}

function oldest(ageNs: number): string {
  return ageNs === 0 ? '' : `oldest ${formatNs(ageNs)}`;
}

function unflushedLines(cache: string, counts: UnflushedCounts | null): Line[] {
  if (counts === null) return [];
  const { pages, ns } = counts;
  const all = pages.covered + pages.remapped + pages.open;
  return [
    [`Unmaps that ${cache} must hear of`, formatCount(counts.unmaps), `${formatCount(all)} pages`],
    ['  told after', formatNs(ns.p50), `P95 ${formatNs(ns.p95)}, P99 ${formatNs(ns.p99)}, longest ${formatNs(ns.max)}`],
    ['  pages mapped again first', formatCount(pages.remapped), ''],
    ['  pages that wait at the end', formatCount(pages.open), ''],
  ];
}

function commandLines(result: SafetyResult): Line[] {
  const { commands, deviceTlbPerIotlb } = result;
  const all = commands.iotlb + commands.deviceTlb;
  return [
    ['IOTLB commands', formatCount(commands.iotlb), `${formatCount(commands.waits)} waits`],
    [
      'Device-TLB commands',
      formatCount(commands.deviceTlb),
      deviceTlbPerIotlb === null ? '' : `${formatDecimal(deviceTlbPerIotlb)} for each IOTLB command`,
    ],
    ['Wasted', formatCount(result.wasted), 'dropped nothing'],
    ['Redundant', formatCount(result.redundant), 'named no page that waited'],
    ['Over-wide', formatCount(result.overWide), `${formatBytes(result.overWideBytes)} beyond need`],
    ['Domain-wide', formatCount(result.domainWide), formatShare(result.domainWide, all)],
    ['Dropped while mapped', formatCount(result.collateral), 'translations that have to be walked for again'],
  ];
}

function findingLines(findings: readonly SafetyFinding[], byKind: { readonly [kind: string]: number }): string[] {
  const lines: string[] = [];
  for (const [kind, count] of Object.entries(byKind)) {
    if (count === 0) continue;
    const shown = findings.filter((finding) => finding.kind === kind).slice(0, SHOWN);
    lines.push('', `${kind}: ${formatCount(count)}`);
    const rows = shown.map(({ event, unmap, ageNs, what }) => [
      `  event ${event}`,
      unmap < 0 ? '' : `unmap ${unmap}`,
      unmap < 0 ? '' : formatNs(ageNs),
      printable(what),
    ]);
    lines.push(layOut({ head: ['', '', '', ''], left: 4, rows }).replace(/^\n+/, ''));
    if (count > shown.length) lines.push(`  ... ${formatCount(count - shown.length)} more; --json lists the first 100`);
  }
  return lines;
}

/** For people. `file` is the trace's name. */
export function safetyText(file: string, result: SafetyResult): string {
  const lines = [...exposureLines(result), ['', '', ''] as const];
  lines.push(...unflushedLines('IOTLBs', result.unflushed), ...unflushedLines('device TLBs', result.unflushedDevices));
  lines.push(['', '', ''], ...commandLines(result));
  const text = [
    `${printable(file)}: ${safetyVerdict(result)}`,
    `${formatNumberOf(result.events, 'event')} in ${formatNs(result.durationNs)}, hardware ${printable(result.hardware)}`,
    '',
    layOut({ head: ['', '', ''], align: ['left', 'right', 'left'], rows: lines.map((line) => [...line]) }).replace(
      /^\n+/,
      '',
    ),
    ...findingLines(result.findings, result.findingsByKind),
  ];
  if (result.caveats.length > 0) {
    text.push('', 'Read with care');
    for (const caveat of result.caveats) text.push(...wrapText(`- ${caveat}`, COLUMNS));
  }
  return `${text.join('\n')}\n`;
}
