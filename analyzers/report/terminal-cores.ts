import type { CoresPoint } from '../../replay/results.ts';
import { isDesign } from './comparison.ts';
import type { ComparedRow } from './comparison.ts';
import { formatDecimal, formatNs, formatShort } from './format-units.ts';
import type { Paint } from './paint.ts';
import { layOut, wrapText } from './plain-table.ts';

const LABEL_WIDTH = 30;
const POINT_WIDTH = 8;

/** As many of the counts as fit, the last among them, evenly spread. */
function fitting(counts: readonly number[], room: number): readonly number[] {
  if (counts.length <= room) return counts;
  const step = (counts.length - 1) / (room - 1);
  return Array.from({ length: room }, (_, i) => counts[Math.round(i * step)] ?? 0);
}

/** Throughput against one core for each number of cores, and the knee; empty where nobody asked. */
export function coresLines(rows: readonly ComparedRow[], paint: Paint, columns: number): readonly string[] {
  const scaled = rows.filter(isDesign).filter(({ design }) => design.scaling !== undefined);
  const counts = [...new Set(scaled.flatMap(({ design }) => design.scaling?.points.map(({ cores }) => cores) ?? []))];
  if (counts.length === 0) return [];
  counts.sort((a, b) => a - b);
  const room = Math.max(2, Math.floor((columns - LABEL_WIDTH) / POINT_WIDTH));
  const shown = fitting(counts, room);
  const at = (points: readonly CoresPoint[], cores: number): CoresPoint | undefined =>
    points.find((point) => point.cores === cores);
  const label = (text: string): string => (text.length > LABEL_WIDTH ? `${text.slice(0, LABEL_WIDTH - 1)}…` : text);
  const figures = layOut({
    head: [paint.strong('Cores'), ...shown.map((cores) => paint.strong(String(cores)))],
    rows: scaled.flatMap(({ design, label: name }) => {
      const points = design.scaling?.points ?? [];
      const cells = (of: (point: CoresPoint) => string): readonly string[] =>
        shown.map((cores) => {
          const point = at(points, cores);
          return point === undefined ? '' : of(point);
        });
      return [
        { heading: label(name) },
        ['  submissions per second', ...cells(({ submissionsPerSecond }) => formatShort(submissionsPerSecond))],
        ['  against one core', ...cells(({ relative }) => `×${formatDecimal(relative, 3)}`)],
        ['  submit to wait, mean', ...cells(({ waitNs }) => formatNs(waitNs.mean))],
        [
          '  hardware / lock busy %',
          ...cells(
            ({ lockUtilisation, utilisation }) =>
              `${Math.round(100 * utilisation)}/${Math.round(100 * lockUtilisation)}`,
          ),
        ],
      ];
    }),
  });
  const knees = scaled.flatMap(({ design, label: name }) => {
    const knee = design.scaling?.knee;
    if (knee === undefined) return [];
    const most = counts.at(-1) ?? 0;
    const saturates =
      knee.saturates === null ? `not saturated at ${most} cores` : `saturated from ${knee.saturates} cores on`;
    const departs = knee.departs === null ? '' : `, cores lose 10 % to waiting from ${knee.departs} on`;
    const bound = knee.bound === null ? '' : `; bound ${formatShort(Math.round(knee.bound))} cores`;
    return wrapText(`${name}: ${saturates}${departs}${bound}`, columns);
  });
  return ['', figures, '', ...knees];
}
