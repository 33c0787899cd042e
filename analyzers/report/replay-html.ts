import type { CountedReplay } from '../../replay/engine/count-replay.ts';
import type { CacheCounts, ReplayResult } from '../../replay/results.ts';
import { replayCharts } from './chart-data.ts';
import { leadOf, partOf, partsOf } from './chapter.ts';
import type { Chapter, PagePart } from './chapter.ts';
import { exposureTable } from './exposure-html.ts';
import { formatCount, formatNs, formatNumberOf, formatShare } from './format-units.ts';
import { plainTable, sortableTable } from './html-parts.ts';
import type { Cell } from './html-parts.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

type Counted = Pick<ReplayResult, 'commands' | 'commandsByType' | 'syncs' | 'doorbells' | 'commandErrors'>;

/** Commands by type, and those that the hardware refused. */
function commandTables({ commands, commandsByType, syncs, doorbells, commandErrors }: Counted): Markup {
  const types = Object.entries(commandsByType)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, count]): readonly Cell[] => [
      [type, null],
      [formatCount(count), count],
      [formatShare(count, commands), count],
    ]);
  // none where there are commands: the source did not show them
  const seen = (count: number): string => formatCount(count === 0 && commands > 0 ? null : count);
  const facts = `${formatNumberOf(commands, 'command')}, ${seen(syncs)} syncs, ${seen(doorbells)} doorbells`;
  const errors = commandErrors.map(({ error, what, count }): readonly Cell[] => [
    [error, null],
    [what, null],
    [formatCount(count), count],
  ]);
  return html`<div class="panel"><p class="caption">${facts}</p>${sortableTable('Commands', ['Type', 'Commands', 'Of all'], types)}</div>${
    errors.length === 0
      ? null
      : html`<div class="panel"><p class="caption">Refused by the hardware</p>${sortableTable('Refused', ['Error', 'What', 'Commands'], errors, [1])}</div>`
  }`;
}

function cachesPart(caches: { readonly [name: string]: CacheCounts }): PagePart {
  const rows = Object.entries(caches).map(([name, { lookups, misses, causes }]): readonly Cell[] => [
    [name, null],
    [formatCount(lookups), lookups],
    [formatCount(misses), misses],
    [formatShare(misses, lookups), lookups > 0 ? misses / lookups : null],
    [formatCount(causes.compulsory), causes.compulsory],
    [formatCount(causes.capacity), causes.capacity],
    [formatCount(causes.conflict), causes.conflict],
    [formatCount(causes.invalidation), causes.invalidation],
  ]);
  const head = ['Cache', 'Lookups', 'Misses', 'Of lookups', 'Compulsory', 'Capacity', 'Conflict', 'Invalidation'];
  const by = Object.entries(caches).flatMap(([name, { invalidatedBy, misses }]) =>
    Object.entries(invalidatedBy).map(([kind, count]): readonly Cell[] => [
      [name, null],
      [kind, null],
      [formatCount(count), count],
      [formatShare(count, misses), count],
    ]),
  );
  return partOf(
    'caches',
    'Caches',
    html`What was looked up, and why it was not there.`,
    html`<div class="panel">${sortableTable('Caches', head, rows)}</div>${by.length === 0 ? null : html`<div class="panel"><p class="caption">Misses after an invalidation, by the command that dropped the entry</p>${sortableTable('Invalidated by', ['Cache', 'Command', 'Misses', 'Of its misses'], by, [1])}</div>`}`,
  );
}

const TIME_PLOTS = [
  ['commands', 'Commands', 'Invalidation commands per second'],
  ['hitRate', 'Hit rate', 'Hits per lookup of the IOTLB'],
  ['exposed', 'Exposed pages', 'Pages unmapped but still cached'],
] as const;

function timePart(charts: NonNullable<Chapter['charts']>): PagePart | null {
  const { time } = charts;
  if (time === null) return null;
  const drawn = TIME_PLOTS.filter(([name]) => time[name] !== null);
  return partOf(
    'time',
    'Over time',
    html`In steps of ${formatNs(time.binNs)}. Point at one chart and all show that instant; drag to look closer, double-click for the whole.`,
    html`${drawn.map(([name, title, sub]) => html`<div class="panel"><figure><figcaption><div><h3>${title}</h3><p class="sub">${sub}</p></div><div class="tools"></div></figcaption><div class="plot" data-plot="${name}"></div><div class="legend"></div></figure></div>`)}`,
  );
}

function missTitle(iotlb: { readonly lookups: number; readonly misses: number } | null, commands: number): string {
  const sent = formatNumberOf(commands, 'command');
  if (iotlb === null || iotlb.lookups === 0) return `${sent} as recorded`;
  return `${formatShare(iotlb.misses, iotlb.lookups)} of ${formatNumberOf(iotlb.lookups, 'lookup')} miss, with ${sent}`;
}

/** What `iorr replay` found, for a page. */
export function replayChapter(result: ReplayResult, file: string): Chapter {
  const { iotlb, caches, exposure, deviceExposure } = result;
  const charts = replayCharts(result);
  const facts: readonly (readonly string[])[] = [
    ['Walks', formatCount(result.walks)],
    ['Entries read by walks', formatCount(result.walkReads)],
    ['Accesses without a mapping', formatCount(result.faults)],
    ['Commands that dropped nothing', formatCount(result.wasted)],
    ['Stale translations served', formatCount(result.stale?.translations ?? null)],
  ];
  return {
    command: 'replay',
    file,
    lead: leadOf(missTitle(iotlb, result.commands), [
      ['Trace', file],
      ['Events', formatCount(result.events)],
      ['Duration', formatNs(result.durationNs)],
      ['Hardware', result.hardware],
    ]),
    caveats: result.caveats,
    parts: partsOf(
      timePart(charts),
      caches === null ? null : cachesPart(caches),
      partOf(
        'commands',
        'Commands',
        null,
        html`${commandTables(result)}<div class="panel">${plainTable('Other counts', ['', 'Count'], facts)}</div>`,
      ),
      exposure === null
        ? null
        : partOf(
            'exposure',
            'Exposure',
            html`Pages that were unmapped and still cached: how many, and for how long.`,
            html`<div class="panel">${exposureTable([
              ['IOTLB', exposure],
              ['Device TLBs', deviceExposure],
            ])}</div>`,
          ),
    ),
    basis: [],
    parameters: result.parameters,
    charts,
  };
}

/** What `iorr replay --counts` found, for a page. */
export function countsChapter(result: CountedReplay, file: string): Chapter {
  const facts: readonly (readonly string[])[] = [
    ['Lookups', formatCount(result.iotlb?.lookups ?? null)],
    ['Hits', formatCount(result.iotlb?.hits ?? null)],
    ['Misses', formatCount(result.iotlb?.misses ?? null)],
    ['Passed through or refused', formatCount(result.untranslated)],
    ['Walks', formatCount(result.walks)],
    ['Entries read by walks', formatCount(result.walkReads)],
    ['Translations that commands dropped', formatCount(result.invalidated)],
  ];
  return {
    command: 'replay --counts',
    file,
    lead: leadOf(missTitle(result.iotlb, result.commands), [
      ['Trace', file],
      ['Events', formatCount(result.events)],
      ['Hardware', result.hardware],
      ['Played by', result.engine],
    ]),
    caveats: result.caveats,
    parts: [
      partOf('counts', 'Counts', null, html`<div class="panel">${plainTable('Counts', ['', 'Count'], facts)}</div>`),
      partOf('commands', 'Commands', null, commandTables(result)),
    ],
    basis: [],
    parameters: result.parameters,
    charts: null,
  };
}
