import type { AnalysisPage } from '../analysis.ts';
import { formatCount, formatNumberOf, formatShare } from '../report/format-units.ts';
import { healthSummary } from '../report/health-lines.ts';
import { linesPicture } from '../report/html-lines.ts';
import type { DrawnLine } from '../report/html-lines.ts';
import { pageOf } from '../report/html-page.ts';
import { careOf, figureOf, leadOf, sortableTable } from '../report/html-parts.ts';
import type { Cell } from '../report/html-parts.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import type { AxisSpec } from '../report/svg-axes.ts';
import type { IotlbPart, IotlbResult } from './iotlb.ts';
import { organisationText, requesterText } from './iotlb-text.ts';

/** Rows of a table, and lines of a picture; JSON has all. */
const SHOWN = 200;
const DRAWN = 8;

const ENTRIES: AxisSpec = { title: 'entries', log: true, base: 2, format: formatCount };

function missAxis(title: string): AxisSpec {
  return { title, log: false, base: 10, format: (value) => `${Number((value * 100).toPrecision(3))} %`, from: 0 };
}

function share(part: number, whole: number): Cell {
  return [formatShare(part, whole), whole > 0 ? part / whole : null];
}

function lead(result: IotlbResult, { file }: AnalysisPage): Markup {
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

function markOf({ chosen }: IotlbResult): { readonly mark?: { readonly at: number; readonly label: string } } {
  return chosen.entries > 0 ? { mark: { at: chosen.entries, label: organisationText(chosen) } } : {};
}

function curveSection(result: IotlbResult): Markup {
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
  const picture = linesPicture({
    about: 'Misses by size of the IOTLB',
    x: ENTRIES,
    y: missAxis('of the lookups'),
    lines,
    height: 320,
    wide: true,
    ...markOf(result),
  });
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
  return html`<section class="part" id="sizes"><h2>Size</h2><p class="about">A fully associative IOTLB that replaces the least recently used entry. Of what any size can hit: ${reached} entries on.</p>${figureOf('Misses by size and cause', 'All sizes from one pass', picture, lines)}<div class="panel"><details open><summary>Figures</summary>${rows}</details></div></section>`;
}

function associativitySection(result: IotlbResult): Markup {
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
  const picture = linesPicture({
    about: 'Misses by size and ways',
    x: ENTRIES,
    y: missAxis('of the lookups'),
    lines,
    height: 320,
    wide: true,
    ...markOf(result),
  });
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
  return html`<section class="part" id="ways"><h2>Associativity</h2><p class="about">Sets picked as on the chosen hardware. What a line lies above the fully associative one is conflict.</p>${figureOf('Misses by size and ways', 'Each line: sets of so many ways', picture, lines)}<div class="panel"><details><summary>Geometries</summary>${rows}</details></div></section>`;
}

function partsSection(
  result: IotlbResult,
  id: string,
  heading: string,
  parts: readonly (IotlbPart & { readonly name: string; readonly key: number })[],
): Markup {
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
  const picture = linesPicture({
    about: `Misses by ${heading.toLowerCase()}`,
    x: ENTRIES,
    y: missAxis('of its own lookups'),
    lines,
    height: 280,
    wide: true,
    ...markOf(result),
  });
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
  return html`<section class="part" id="${id}"><h2>${heading}</h2><p class="about">What each misses in a cache that all share; alone it may miss less.</p>${figureOf(`Misses by ${heading.toLowerCase()}`, `The ${formatCount(lines.length)} with most lookups`, picture, lines)}<div class="panel"><p class="caption">${formatCount(parts.length)} in all${more}</p>${rows}</div></section>`;
}

/** The page of `iorr analyze iotlb`: one file that opens anywhere. */
export function iotlbHtml(result: IotlbResult, page: AnalysisPage): string {
  const devices = result.devices.map((part) => ({ ...part, name: requesterText(part.rid), key: part.rid }));
  const domains = result.domains.map((part) => ({
    ...part,
    name: part.domain === -1 ? 'not known' : `domain ${part.domain}`,
    key: part.domain,
  }));
  const parts: readonly (readonly [id: string, title: string, part: Markup | null])[] = [
    ['sizes', 'Size', curveSection(result)],
    ['ways', 'Associativity', result.associativity.length === 0 ? null : associativitySection(result)],
    ['devices', 'Device', devices.length === 0 ? null : partsSection(result, 'devices', 'Device', devices)],
    ['domains', 'Domain', domains.length === 0 ? null : partsSection(result, 'domains', 'Domain', domains)],
  ];
  const shown = parts.filter(([, , part]) => part !== null);
  return pageOf({
    version: page.version,
    command: 'analyze iotlb',
    file: page.file,
    sections: shown.map(([id, name]) => [id, name]),
    body: html`${lead(result, page)}${careOf(result.caveats)}${shown.map(([, , part]) => part)}<section class="part" id="basis"><h2>Basis</h2><div class="panel"><p class="sub">Health of the trace: ${healthSummary(page.health)}</p></div></section>`,
    charts: null,
  });
}
