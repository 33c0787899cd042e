import { baseRow, valueOf } from './comparison.ts';
import type { ComparedRow } from './comparison.ts';
import { KEY_METRICS, bestValue, formatMetric } from './metrics.ts';
import type { Metric } from './metrics.ts';
import type { Paint } from './paint.ts';
import { layOut } from './plain-table.ts';

const LABEL_WIDTH = 34;

function cut(label: string): string {
  return label.length > LABEL_WIDTH ? `${label.slice(0, LABEL_WIDTH - 1)}…` : label;
}

/** Metrics in as many tables as the width needs; each has one column at least. */
function partsOf(rows: readonly ComparedRow[], columns: number): readonly (readonly Metric[])[] {
  const nameWidth = Math.max(...rows.map((row) => cut(row.label).length));
  const parts: Metric[][] = [];
  let left = 0;
  for (const metric of KEY_METRICS) {
    const cells = rows.map((row) => formatMetric(metric, valueOf(metric, row)).length);
    const width = Math.max(metric.title.length, ...cells) + 2;
    const last = parts.at(-1);
    if (last === undefined || width > left) {
      parts.push([metric]);
      left = columns - nameWidth - width;
    } else {
      last.push(metric);
      left -= width;
    }
  }
  return parts;
}

/** Many designs: a line for each, with the figures that decide. */
export function overview(rows: readonly ComparedRow[], paint: Paint, columns: number): readonly string[] {
  const base = baseRow(rows);
  const designs = rows.filter((row) => !row.recorded).map((row) => row.design);
  return partsOf(rows, columns).flatMap((metrics) => [
    '',
    layOut({
      head: ['', ...metrics.map((metric) => paint.strong(metric.title))],
      rows: rows.map((row) => [
        row === base ? paint.strong(cut(row.label)) : cut(row.label),
        ...metrics.map((metric) => {
          const value = valueOf(metric, row);
          const text = formatMetric(metric, value);
          if (value === null) return paint.warn(text);
          return !row.recorded && value === bestValue(metric, designs) ? paint.good(text) : text;
        }),
      ]),
    }),
  ]);
}
