import { printable } from '../report/escape.ts';
import { formatCount, formatNumberOf } from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import { shownMetrics } from './sweep-metric-table.ts';
import type { SweepReport } from './sweep.ts';

const COLUMNS = 100;
/** Rows and figures; the result file has all. */
const SHOWN = 40;
const FIGURES = 7;

/** What `iorr sweep` prints. */
export function sweepText(file: string, report: SweepReport): string {
  const { parameters, points, caveats, metrics } = report;
  const figures = shownMetrics(metrics)
    .filter(({ name }) => points.some((point) => (point.metrics[name] ?? null) !== null))
    .slice(0, FIGURES);
  const table = layOut({
    head: [...parameters.map(({ name }) => name), ...figures.map(({ title }) => title)],
    left: 0,
    rows: points.slice(0, SHOWN).map(({ values, metrics: own }) => [
      ...parameters.map(({ name }) => {
        const value = values[name] ?? '';
        return typeof value === 'number' ? formatCount(value) : printable(value, 60);
      }),
      ...figures.map(({ name, format }) => format(own[name] ?? null)),
    ]),
  });
  const rest = points.length - SHOWN;
  return `${[
    `sweep  ${printable(file, 200)}  on ${printable(report.hardware, 80)}: ${formatNumberOf(points.length, 'point')}`,
    '',
    table,
    ...(rest > 0 ? [`  and ${formatCount(rest)} more: -o result.json has all`] : []),
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
