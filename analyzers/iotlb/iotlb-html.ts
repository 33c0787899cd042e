import type { AnalysisPage } from '../analysis.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, Lead, PagePart } from '../report/chapter.ts';
import { formatCount, formatNumberOf, formatShare } from '../report/format-units.ts';
import { sortableTable } from '../report/html-parts.ts';
import type { Cell } from '../report/html-parts.ts';
import { lineFigure } from '../report/line-chart.ts';
import type { DrawnLine, LineAxis, LineChart } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { IotlbPart, IotlbResult } from './iotlb.ts';
import { organisationText, requesterText } from './iotlb-text.ts';

/** Rows of a table, and lines of a picture; JSON has all. */
const SHOWN = 200;
const DRAWN = 8;

const ENTRIES: LineAxis = { title: 'entries', unit: 'count', log: true, base: 2 };

function missAxis(title: string): LineAxis {
  return { title, unit: 'share', log: false, base: 10 };
}

function share(part: number, whole: number): Cell {
  return [formatShare(part, whole), whole > 0 ? part / whole : null];
}

function lead(result: IotlbResult, file: string): Lead {
  const { chosen, knee, lookups, unavoidable, sample } = result;
  const { iotlb } = chosen;
  const title =
    iotlb === null
      ? `${formatShare(unavoidable, lookups)} of the lookups miss at any size`
      : `${formatShare(iotlb.misses, iotlb.lookups)} of the lookups miss, ${formatShare(unavoidable, lookups)} at any size`;
  const facts: readonly (readonly [string, string])[] = [
    ['Trace', file],
    ['Hardware', result.hardware],
    ['IOTLB', organisationText(chosen)],
    ['Lookups', formatCount(lookups)],
    ...(knee === null ? [] : [['Knee', formatNumberOf(knee.entries, 'entry', 'entries')] as const]),
    ...(sample === null ? [] : [['Pages followed', formatShare(sample.rate, 1)] as const]),
  ];
  return leadOf(title, facts);
}

function markOf({ chosen }: IotlbResult): Pick<LineChart, 'mark'> {
  return chosen.entries > 0 ? { mark: { at: chosen.entries, label: organisationText(chosen) } } : {};
}

function curveSection(result: IotlbResult): PagePart {
  const { curve, reach, chosen, knee } = result;
  const of = (label: string, style: number, value: (point: (typeof curve)[number]) => number): DrawnLine => ({
    label,
    style: lineStyle(style, false),
    points: curve.map((point) => [point.entries, point.lookups > 0 ? value(point) / point.lookups : 0] as const),
  });
  const { iotlb } = chosen;
  const lines: readonly DrawnLine[] = [
    { ...of('all misses', 0, (point) => point.misses), area: true },
    of('compulsory', 1, (point) => point.causes.compulsory),
    of('invalidation', 2, (point) => point.causes.invalidation),
    of('capacity', 3, (point) => point.causes.capacity),
    ...(iotlb === null || chosen.entries === 0
      ? []
      : [
          {
            label: `chosen: ${organisationText(chosen)}`,
            style: lineStyle(6, false),
            points: [[chosen.entries, iotlb.misses / iotlb.lookups] as const],
            marks: true,
          },
        ]),
  ];
  const errors = result.sample !== null;
  const rows = sortableTable(
    'Misses by size',
    ['Entries', 'Misses', ...(errors ? ['± 2 standard errors'] : []), 'Compulsory', 'Capacity', 'Invalidation'],
    curve.map((point) => [
      [
        `${formatCount(point.entries)}${point.entries === chosen.entries ? ', as chosen' : ''}${point.entries === knee?.entries ? ', knee' : ''}`,
        point.entries,
      ],
      share(point.misses, point.lookups),
      ...(errors ? [share((point.error ?? 0) * 2, point.lookups)] : []),
      share(point.causes.compulsory, point.lookups),
      share(point.causes.capacity, point.lookups),
      share(point.causes.invalidation, point.lookups),
    ]),
  );
  const reached = reach.map(({ share: part, entries }) => `${part * 100} % from ${formatCount(entries)}`).join(', ');
  return partOf(
    'sizes',
    'Size',
    html`A fully associative IOTLB that replaces the least recently used entry. Of what any size can hit: ${reached} entries on.`,
    html`${lineFigure('Misses by size and cause', 'All sizes from one pass', {
      about: 'Misses by size of the IOTLB',
      x: ENTRIES,
      y: missAxis('of the lookups'),
      lines,
      ...markOf(result),
    })}<div class="panel"><details open><summary>Figures</summary>${rows}</details></div>`,
  );
}

function associativitySection(result: IotlbResult): PagePart {
  const { associativity, curve, lookups } = result;
  const lines: readonly DrawnLine[] = [
    ...associativity.map(({ ways, points }, i) => ({
      label: formatNumberOf(ways, 'way'),
      style: lineStyle(i + 1, false),
      points: points.map((point) => [point.entries, lookups > 0 ? point.misses / lookups : 0] as const),
    })),
    {
      label: 'fully associative',
      style: lineStyle(0, false),
      points: curve.map((point) => [point.entries, lookups > 0 ? point.misses / lookups : 0] as const),
    },
  ];
  const rows = sortableTable(
    'Geometries',
    ['Sets × ways', 'Entries', 'Misses', 'Of conflict'],
    associativity.flatMap(({ ways, points }) =>
      points.map(({ sets, entries, misses, conflict }): readonly Cell[] => [
        [`${formatCount(sets)} × ${ways}`, sets],
        [formatCount(entries), entries],
        share(misses, lookups),
        share(conflict, lookups),
      ]),
    ),
  );
  return partOf(
    'ways',
    'Associativity',
    html`Sets picked as on the chosen hardware. What a line lies above the fully associative one is conflict.`,
    html`${lineFigure('Misses by size and ways', 'Each line: sets of so many ways', {
      about: 'Misses by size and ways',
      x: ENTRIES,
      y: missAxis('of the lookups'),
      lines,
      ...markOf(result),
    })}<div class="panel"><details><summary>Geometries</summary>${rows}</details></div>`,
  );
}

function partsSection(
  result: IotlbResult,
  id: string,
  heading: string,
  parts: readonly (IotlbPart & { readonly name: string; readonly key: number })[],
): PagePart {
  const { curve, chosen, lookups } = result;
  const found = curve.findIndex((point) => point.entries === chosen.entries);
  const at = found >= 0 ? found : curve.length - 1;
  const lines: readonly DrawnLine[] = parts.slice(0, DRAWN).map((part, i) => ({
    label: part.name,
    style: lineStyle(i, false),
    points: curve.map(
      (point, j) => [point.entries, part.lookups > 0 ? (part.misses[j] ?? 0) / part.lookups : 0] as const,
    ),
  }));
  const rows = sortableTable(
    heading,
    [
      heading,
      'Lookups',
      'Of all',
      `Miss in ${formatCount(curve[at]?.entries ?? 0)} entries`,
      'Miss at any size',
      '99 % of its hits from',
    ],
    parts
      .slice(0, SHOWN)
      .map((part) => [
        [part.name, part.key],
        [formatCount(part.lookups), part.lookups],
        share(part.lookups, lookups),
        share(part.misses[at] ?? 0, part.lookups),
        share(part.misses.at(-1) ?? 0, part.lookups),
        [part.entries99 === null ? 'nothing hits' : formatCount(part.entries99), part.entries99],
      ]),
  );
  const more = parts.length > SHOWN ? `, the first ${SHOWN}` : '';
  return partOf(
    id,
    heading,
    html`What each misses in a cache that all share; alone it may miss less.`,
    html`${lineFigure(`Misses by ${heading.toLowerCase()}`, `The ${formatCount(lines.length)} with most lookups`, {
      about: `Misses by ${heading.toLowerCase()}`,
      x: ENTRIES,
      y: missAxis('of its own lookups'),
      lines,
      ...markOf(result),
    })}<div class="panel"><p class="caption">${formatCount(parts.length)} in all${more}</p>${rows}</div>`,
  );
}

/** What `iorr analyze iotlb` found, for a page. */
export function iotlbChapter(result: IotlbResult, file: string): Chapter {
  const devices = result.devices.map((part) => ({ ...part, name: requesterText(part.rid), key: part.rid }));
  const domains = result.domains.map((part) => ({
    ...part,
    name: part.domain === -1 ? 'not known' : `domain ${part.domain}`,
    key: part.domain,
  }));
  return {
    command: 'analyze iotlb',
    file,
    lead: lead(result, file),
    caveats: result.caveats,
    parts: partsOf(
      curveSection(result),
      result.associativity.length === 0 ? null : associativitySection(result),
      devices.length === 0 ? null : partsSection(result, 'devices', 'Device', devices),
      domains.length === 0 ? null : partsSection(result, 'domains', 'Domain', domains),
    ),
    basis: [],
    parameters: result.parameters,
    charts: null,
  };
}

/** The page of `iorr analyze iotlb`: one file that opens anywhere. */
export function iotlbHtml(result: IotlbResult, page: AnalysisPage): string {
  return chapterPage(iotlbChapter(result, page.file), page);
}
