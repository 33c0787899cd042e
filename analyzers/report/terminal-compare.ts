import type { CompareReport } from './envelope.ts';
import { baseRow, comparedRows, valueOf } from './comparison.ts';
import type { ComparedRow } from './comparison.ts';
import { printable } from './escape.ts';
import { UNKNOWN, formatChange, formatCount, formatNs } from './format-units.ts';
import { headline } from './headline.ts';
import { METRICS, bestValue, formatMetric } from './metrics.ts';
import type { Metric, MetricGroup } from './metrics.ts';
import { paintFor } from './paint.ts';
import type { Paint } from './paint.ts';
import { layOut, wrapText } from './plain-table.ts';
import type { RenderOptions } from './renderer.ts';
import { overview } from './terminal-overview.ts';
import { coresLines } from './terminal-cores.ts';
import { MIN_COLUMNS, caveatLines, healthLines, standingLines, titleLine } from './terminal-lines.ts';

const GROUPS: readonly { readonly group: MetricGroup; readonly title: string }[] = [
  { group: 'work', title: 'Work' },
  { group: 'time', title: 'Modelled time' },
  { group: 'cache', title: 'IOTLB' },
  { group: 'exposure', title: 'Exposure' },
];

/** More rows than this that don't fit beside each other get one line each instead of a column. */
const MOST_BESIDE = 3;
const NAME_WIDTH = 22;
const LABEL_WIDTH = 24;

function changeOf(metric: Metric, row: ComparedRow, base: ComparedRow | null): string {
  if (base === null || row === base || row.recorded || metric.unit === 'share') return '';
  const change = formatChange(valueOf(metric, row), valueOf(metric, base));
  return change === 'same' ? '=' : change;
}

/** One block of designs beside each other: a value column and a change column for each. */
function block(rows: readonly ComparedRow[], all: readonly ComparedRow[], paint: Paint): string {
  const base = baseRow(all);
  const designs = all.filter((row) => !row.recorded).map((row) => row.design);
  const comparing = base !== null && designs.length > 1;
  const body: (readonly string[] | { readonly heading: string })[] = [];
  for (const { group, title } of GROUPS) {
    const metrics = METRICS.filter((metric) => metric.group === group);
    const gap = body.length === 0 ? [] : [{ heading: '' }];
    // A group that is unknown takes one line instead of ten; a figure that is 0 for all takes none.
    if (all.every((row) => metrics.every((metric) => valueOf(metric, row) === null))) {
      body.push(...gap, { heading: `${paint.strong(title)}  ${paint.warn(UNKNOWN)}` });
      continue;
    }
    const told = metrics.filter((metric) =>
      all.some((row) => (valueOf(metric, row) ?? 0) !== 0 || (!row.recorded && valueOf(metric, row) === null)),
    );
    body.push(...gap, { heading: told.length > 0 ? paint.strong(title) : `${paint.strong(title)}  nothing` });
    for (const metric of told) {
      const best = bestValue(metric, designs);
      const cells = rows.flatMap((row) => {
        const value = valueOf(metric, row);
        const text = formatMetric(metric, value);
        const shown = value === null ? paint.warn(text) : value === best && !row.recorded ? paint.good(text) : text;
        return comparing && !row.recorded ? [shown, paint.faint(changeOf(metric, row, base))] : [shown];
      });
      body.push([`  ${metric.title}`, ...cells]);
    }
  }
  const head = rows.flatMap((row) => {
    const label = row.label.length > LABEL_WIDTH ? `${row.label.slice(0, LABEL_WIDTH - 1)}…` : row.label;
    return comparing && !row.recorded ? [paint.strong(label), ''] : [paint.strong(label)];
  });
  return layOut({ head: ['', ...head], rows: body });
}

function widthOf(row: ComparedRow): number {
  const widest = Math.max(...METRICS.map((metric) => formatMetric(metric, valueOf(metric, row)).length));
  return Math.max(widest, Math.min(LABEL_WIDTH, row.label.length)) + 2 + (row.recorded ? 0 : 11);
}

/** Splits the rows so that each block fits the width; one design at least in each. */
function blocks(rows: readonly ComparedRow[], columns: number): readonly (readonly ComparedRow[])[] {
  const out: ComparedRow[][] = [];
  let left = 0;
  for (const row of rows) {
    const width = widthOf(row);
    const last = out.at(-1);
    if (last === undefined || width > left) {
      out.push([row]);
      left = columns - NAME_WIDTH - width;
    } else {
      last.push(row);
      left -= width;
    }
  }
  return out;
}

export function renderCompare(report: CompareReport, options: RenderOptions): string {
  const { result } = report;
  const paint = paintFor(options.colour);
  const columns = Math.max(MIN_COLUMNS, options.columns);
  const rows = comparedRows(result);
  const said = headline(result);
  const lines: string[] = [titleLine(report, paint)];
  const facts =
    `${formatCount(result.events)} events in ${formatNs(result.durationNs)}, hardware ${printable(result.hardware, 60)}, ` +
    `cost profile ${printable(result.profile, 60)}, accesses ${printable(result.access, 60)}`;
  lines.push(...wrapText(facts, columns).map((line) => paint.faint(line)), '');
  lines.push(...wrapText(said.title, columns).map((line) => paint.strong(line)));
  const parts = blocks(rows, columns);
  const asLines = rows.length > MOST_BESIDE && parts.length > 1;
  if (asLines) {
    lines.push(
      ...overview(rows, paint, columns),
      '',
      paint.faint('All figures: --json, or the page that --html writes.'),
    );
  } else {
    for (const part of parts) lines.push('', block(part, rows, paint));
  }
  const base = baseRow(rows);
  if (base !== null && result.designs.length > 1 && !asLines) {
    lines.push('', paint.faint(`Changes are against ${base.label}.`));
  }
  lines.push(...coresLines(rows, paint, columns));
  const caveats = caveatLines(report, paint, columns);
  if (caveats.length > 0) lines.push('', paint.strong('Read with care'), ...caveats);
  lines.push('', ...standingLines(result.parameters, paint, columns), ...healthLines(report, paint));
  return `${lines.join('\n')}\n`;
}
