import type { SafetyResult } from '../replay/engine/safety.ts';
import type { UnflushedCounts } from '../replay/engine/unmap-ledger.ts';
import { leadOf, partOf, partsOf } from './report/chapter.ts';
import type { Chapter, PagePart } from './report/chapter.ts';
import { exposureTable } from './report/exposure-html.ts';
import { formatBytes, formatCount, formatDecimal, formatNs, formatShare } from './report/format-units.ts';
import { eventCommand, eventLink, plainTable, sortableTable } from './report/html-parts.ts';
import type { Cell } from './report/html-parts.ts';
import { html } from './report/markup.ts';
import { safetyVerdict } from './safety-text.ts';

function findingsPart({ findings, findingsByKind }: SafetyResult, file: string): PagePart | null {
  if (findings.length === 0) return null;
  const counts = Object.entries(findingsByKind).map(([kind, count]) => `${formatCount(count)} ${kind}`);
  const rows = findings.map(({ event, kind, unmap, ageNs, what }): readonly Cell[] => [
    [eventLink(event), event],
    [kind, null],
    unmap < 0 ? ['', null] : [eventLink(unmap), unmap],
    unmap < 0 ? ['', null] : [formatNs(ageNs), ageNs],
    [what, null],
    [eventCommand(file, event), null],
  ]);
  return partOf(
    'findings',
    'Findings',
    html`${counts.join(', ')}; the first 100 of each are listed. Stale: an access was served from a page that was unmapped. Missing: no command named the pages before they were mapped again. Late: the command came after another flush of its submitter. Redundant: nothing waited for it.`,
    html`<div class="panel">${sortableTable('Findings', ['Event', 'Kind', 'Unmap', 'After', 'What', 'To look at it'], rows, [1, 4, 5])}</div>`,
  );
}

function unflushedTable(caches: readonly (readonly [string, UnflushedCounts | null])[]) {
  const known = caches.flatMap(([name, counts]) => (counts === null ? [] : [{ name, counts }]));
  if (known.length === 0) return null;
  const row = (name: string, value: (counts: UnflushedCounts) => string): readonly string[] => [
    name,
    ...known.map(({ counts }) => value(counts)),
  ];
  const table = plainTable(
    'From unmap to command',
    ['', ...known.map(({ name }) => name)],
    [
      row('Unmaps', ({ unmaps }) => formatCount(unmaps)),
      row('Pages named by a command', ({ pages }) => formatCount(pages.covered)),
      row('Pages mapped again first', ({ pages }) => formatCount(pages.remapped)),
      row('Pages that wait at the end', ({ pages }) => formatCount(pages.open)),
      row('P50', ({ ns }) => formatNs(ns.p50)),
      row('P95', ({ ns }) => formatNs(ns.p95)),
      row('P99', ({ ns }) => formatNs(ns.p99)),
      row('Longest', ({ ns }) => formatNs(ns.max)),
    ],
  );
  return html`<div class="panel"><p class="caption">From each unmap to the command that names its pages, cached or not</p>${table}</div>`;
}

/** What `iorr analyze safety` found, for a page. */
export function safetyChapter(result: SafetyResult, file: string): Chapter {
  const { commands, exposure, deviceExposure, stale, deviceTlbPerIotlb } = result;
  const all = commands.iotlb + commands.deviceTlb;
  const facts: readonly (readonly [string, string, string])[] = [
    ['IOTLB commands', formatCount(commands.iotlb), ''],
    [
      'Device-TLB commands',
      formatCount(commands.deviceTlb),
      deviceTlbPerIotlb === null ? '' : `${formatDecimal(deviceTlbPerIotlb)} for each IOTLB command`,
    ],
    ['Waits', formatCount(commands.waits), ''],
    ['Wasted', formatCount(result.wasted), 'dropped nothing'],
    ['Redundant', formatCount(result.redundant), 'named no page that waited'],
    ['Over-wide', formatCount(result.overWide), `${formatBytes(result.overWideBytes)} beyond need`],
    ['Domain-wide', formatCount(result.domainWide), all === 0 ? '' : `${formatShare(result.domainWide, all)} of all`],
    ['Dropped while mapped', formatCount(result.collateral), 'translations that have to be walked for again'],
  ];
  const waiting = unflushedTable([
    ['IOTLBs', result.unflushed],
    ['Device TLBs', result.unflushedDevices],
  ]);
  const exposed =
    exposure === null
      ? null
      : html`<div class="panel"><p class="caption">Pages unmapped while cached</p>${exposureTable([
          ['IOTLB', exposure],
          ['Device TLBs', deviceExposure],
        ])}</div>`;
  return {
    command: 'analyze safety',
    file,
    lead: leadOf(safetyVerdict(result), [
      ['Trace', file],
      ['Events', formatCount(result.events)],
      ['Duration', formatNs(result.durationNs)],
      ['Hardware', result.hardware],
      ['Oldest stale', stale === null || stale.translations === 0 ? 'none' : formatNs(stale.maxAgeNs)],
    ]),
    caveats: result.caveats,
    parts: partsOf(
      findingsPart(result, file),
      exposed === null && waiting === null
        ? null
        : partOf('exposure', 'Exposure', html`How long unmapped pages stayed reachable.`, html`${exposed}${waiting}`),
      partOf(
        'commands',
        'Commands',
        null,
        html`<div class="panel">${sortableTable(
          'Commands',
          ['', 'Count', ''],
          facts.map((cells) => cells.map((text) => [text, null] as const)),
          [2],
        )}</div>`,
      ),
    ),
    basis: [],
    parameters: [],
    charts: null,
  };
}
