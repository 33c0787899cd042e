import type { DesignRow } from './comparison.ts';
import { lineFigure } from './line-chart.ts';
import { lineStyle } from './line-styles.ts';
import type { Markup } from './markup.ts';

/** Throughput against cores, both logarithmic to the base 2: what scales is a straight line. Null without at least two numbers of cores. */
export function coresFigure(rows: readonly DesignRow[]): Markup | null {
  const points = rows.flatMap((row) => row.design.scaling?.points ?? []);
  const most = points.reduce((high, { cores }) => Math.max(high, cores), 1);
  if (most < 2) return null;
  const gain = points.reduce((high, { relative }) => Math.max(high, relative), 2);
  // what as many single cores would do, as far as the picture goes
  const ideal = [...new Set([1, ...points.map(({ cores }) => cores)])].filter((cores) => cores <= gain * 1.3);
  return lineFigure('Submissions against cores', 'Against one core', {
    about: 'Submissions against cores',
    x: { title: 'cores', unit: 'count', log: true, base: 2, from: 1, to: most },
    y: { title: 'submissions, against one core', unit: 'times', log: true, base: 2, from: 1 },
    lines: [
      ...rows.map((row) => ({
        label: row.label,
        style: lineStyle(row.number, false),
        points: (row.design.scaling?.points ?? []).map(({ cores, relative }) => [cores, relative] as const),
        marks: true,
      })),
      {
        label: 'as many single cores',
        style: lineStyle(0, true),
        points: ideal.sort((a, b) => a - b).map((cores) => [cores, cores] as const),
      },
    ],
  });
}
