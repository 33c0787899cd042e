import type { CurvePoint } from '../../replay/distances/miss-curve.ts';
import { printable } from '../report/escape.ts';
import { formatCount, formatNumberOf, formatShare } from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import type { ChosenIotlb, IotlbPart, IotlbResult } from './iotlb.ts';

const COLUMNS = 100;
/** Rows of a table; JSON has all. */
const SHOWN = 8;
const WIDTH = 32;

/** `8 sets x 4 ways`, `1 024 entries, emptied when full`. */
export function organisationText({ organisation, sets, ways, entries }: ChosenIotlb): string {
  if (organisation === 'none') return 'no IOTLB';
  if (organisation !== 'set-associative') return `${formatNumberOf(entries, 'entry', 'entries')}, emptied when full`;
  if (sets === null || ways === null) return `${formatNumberOf(entries, 'entry', 'entries')} in banks by page size`;
  if (sets === 1) return `${formatNumberOf(ways, 'entry', 'entries')}, fully associative`;
  return `${formatNumberOf(sets, 'set')} × ${formatNumberOf(ways, 'way')}`;
}

/** `00:04.0` of a 16-bit requester id; others as they are. */
export function requesterText(rid: number): string {
  if (rid >>> 16 !== 0) return `0x${(rid >>> 0).toString(16)}`;
  const two = (value: number): string => value.toString(16).padStart(2, '0');
  return `${two(rid >>> 8)}:${two((rid >>> 3) & 31)}.${rid & 7}`;
}

function bar(share: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(share * WIDTH * 8));
  const rest = eighths % 8;
  return '█'.repeat(eighths >> 3) + (rest === 0 ? '' : (' ▏▎▍▌▋▊▉'[rest] ?? ''));
}

function chosenLines({ chosen }: IotlbResult): readonly string[] {
  const { iotlb } = chosen;
  if (iotlb === null) return [];
  const { lookups, misses, causes } = iotlb;
  const parts = Object.entries(causes).map(
    ([name, count]: [string, number]) => `${name} ${formatShare(count, lookups)}`,
  );
  return [`  misses ${formatShare(misses, lookups)} of the lookups: ${parts.join(', ')}`];
}

function curveTable({ curve, chosen, knee, sample }: IotlbResult): string {
  const mark = ({ entries }: CurvePoint): string => {
    const marks = [
      ...(entries === chosen.entries ? ['<- as many as chosen'] : []),
      ...(entries === knee?.entries ? ['<- knee'] : []),
    ];
    return marks.join(' ');
  };
  return layOut({
    head: ['Entries', 'Misses', ...(sample === null ? [] : ['±']), 'compulsory', 'capacity', 'invalidation', '', ''],
    align: [
      'right',
      'right',
      ...(sample === null ? [] : ['right' as const]),
      'right',
      'right',
      'right',
      'left',
      'left',
    ],
    rows: curve.map((point) => [
      formatCount(point.entries),
      formatShare(point.misses, point.lookups),
      ...(sample === null ? [] : [formatShare((point.error ?? 0) * 2, point.lookups)]),
      formatShare(point.causes.compulsory, point.lookups),
      formatShare(point.causes.capacity, point.lookups),
      formatShare(point.causes.invalidation, point.lookups),
      bar(point.lookups > 0 ? point.misses / point.lookups : 0),
      mark(point),
    ]),
  });
}

/** Geometries of as many entries as the chosen one has. */
function associativityTable({ associativity, chosen, curve, lookups }: IotlbResult): string | null {
  const same = associativity.flatMap(({ ways, points }) =>
    points.filter((point) => point.entries === chosen.entries && point.sets > 1).map((point) => ({ ways, ...point })),
  );
  const full = curve.find((point) => point.entries === chosen.entries);
  if (same.length === 0 || full === undefined) return null;
  return layOut({
    head: [`${formatCount(chosen.entries)} entries as`, 'Misses', 'of conflict'],
    rows: [
      ...same.map(({ sets, ways, misses, conflict }) => [
        `${formatCount(sets)} × ${ways}`,
        formatShare(misses, lookups),
        formatShare(conflict, lookups),
      ]),
      ['1, fully associative', formatShare(full.misses, lookups), formatShare(0, lookups)],
    ],
  });
}

function partTable(title: string, parts: readonly (IotlbPart & { readonly name: string })[], at: number): string {
  const rows = parts
    .slice(0, SHOWN)
    .map((part) => [
      part.name,
      formatCount(part.lookups),
      formatShare(part.misses[at] ?? 0, part.lookups),
      formatShare(part.misses.at(-1) ?? 0, part.lookups),
      part.entries99 === null ? 'nothing hits' : formatCount(part.entries99),
    ]);
  const rest = parts.length - rows.length;
  const table = layOut({
    head: [title, 'Lookups', 'miss there', 'at any size', 'entries for 99 %'],
    rows,
  });
  return rest > 0 ? `${table}\n  and ${rest} more` : table;
}

/** What `iorr analyze iotlb` prints. */
export function iotlbText(file: string, result: IotlbResult): string {
  const { chosen, curve, knee, reach, lookups, unavoidable, devices, domains, caveats } = result;
  const found = curve.findIndex((point) => point.entries === chosen.entries);
  const at = found >= 0 ? found : curve.length - 1;
  const reached = reach.map(({ share, entries }) => `${share * 100} % from ${formatCount(entries)}`);
  const same = associativityTable(result);
  const where = `a cache of ${formatNumberOf(curve[at]?.entries ?? 0, 'entry', 'entries')} without sets`;
  return `${[
    `IOTLB  ${printable(file, 200)}  on ${printable(result.hardware, 80)}: ${organisationText(chosen)}`,
    ...chosenLines(result),
    '',
    `${formatNumberOf(lookups, 'lookup')}; ${formatShare(unavoidable, lookups)} miss at any size. Of what can be hit: ${reached.join(', ')} entries on.`,
    ...(knee === null ? [] : [`Larger sizes pay little beyond ${formatCount(knee.entries)} entries.`]),
    '',
    'Fully associative, least recently used replaced:',
    curveTable(result),
    ...(same === null ? [] : ['', same]),
    '',
    `Shares of their own lookups that miss in ${where}, shared by all:`,
    partTable(
      'Device',
      devices.map((part) => ({ ...part, name: requesterText(part.rid) })),
      at,
    ),
    '',
    partTable(
      'Domain',
      domains.map((part) => ({ ...part, name: part.domain === -1 ? 'not known' : String(part.domain) })),
      at,
    ),
    ...(caveats.length === 0
      ? []
      : [
          '',
          ...caveats.flatMap((text) =>
            wrapText(printable(text, 500), COLUMNS - 4).map((line, i) => (i === 0 ? `  ! ${line}` : `    ${line}`)),
          ),
        ]),
  ].join('\n')}\n`;
}
