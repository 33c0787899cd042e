import { printable } from '../report/escape.ts';
import { formatCount, formatNumberOf } from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import { shownMetrics, shownValue } from './sweep-metric-table.ts';
import type { SweepReport } from './sweep.ts';

const COLUMNS = 100;
/** Rows and figures; the result file has all. */
const SHOWN = 40;
const FIGURES = 7;

/** What `iorr sweep` prints: figures that vary, if any do. */
export function sweepText(file: string, report: SweepReport): string {
  const { parameters, points, caveats, metrics } = report;
  const known = shownMetrics(metrics).filter(({ name }) =>
    points.some((point) => (point.metrics[name] ?? null) !== null),
  );
  const varied = known.filter(({ name }) => new Set(points.map((point) => point.metrics[name])).size > 1);
  const figures = (varied.length > 0 ? varied : known).slice(0, FIGURES);
  const table = layOut({
    head: [...parameters.map(({ name }) => name), ...figures.map(({ title }) => title)],
    left: 0,
    rows: points.slice(0, SHOWN).map(({ values, metrics: own }) => [
      ...parameters.map(({ name }) => {
        const value = values[name] ?? '';
        return typeof value === 'number' ? formatCount(value) : printable(value, 60);
      }),
      ...figures.map((metric) => shownValue(metric, own[metric.name] ?? null)),
    ]),
  });
  const rest = points.length - SHOWN;
  return `${[
    `sweep  ${printable(file, 200)}  on ${printable(report.hardware, 80)}: ${formatNumberOf(points.length, 'point')}`,
    '',
    table,
    ...(varied.length === 0 ? ['  Nothing varies: these figures are the same at all points.'] : []),
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
