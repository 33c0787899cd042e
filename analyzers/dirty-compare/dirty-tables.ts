import { printable } from '../report/escape.ts';
import { healthSummary } from '../report/health-lines.ts';
import { paintFor } from '../report/paint.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import type { RenderOptions } from '../report/renderer.ts';
import { MIN_COLUMNS, standingLines } from '../report/terminal-lines.ts';
import type { DirtyReport } from './compare-dirty-command.ts';
import {
  BOUNDARY_TITLES,
  LATENCY_TITLES,
  STORM_TITLES,
  boundaryRows,
  crossoverSentence,
  latencyRows,
  stormRows,
} from './crossover-cells.ts';
import {
  PLAN_TITLES,
  TIME_COLUMNS,
  WORK_COLUMNS,
  dirtyFacts,
  dirtyHeadline,
  planRows,
  timeRows,
} from './dirty-cells.ts';

/** The tables of `compare --dirty` for a terminal. */
export function dirtyTables(report: DirtyReport, options: RenderOptions): string {
  const { dirty } = report.result;
  const paint = paintFor(options.colour);
  const columns = Math.max(MIN_COLUMNS, options.columns);
  const files = report.input.map((input) => printable(input.file, 120)).join(', ');
  const plans = planRows(dirty);
  const latencies = latencyRows(dirty);
  const boundaries = boundaryRows(dirty);
  const storms = stormRows(dirty);
  const crossing = crossoverSentence(dirty);
  const work = WORK_COLUMNS.map(({ title, cell }) => [title, ...dirty.methods.map(cell)]);
  return `${[
    `${paint.strong('iorr compare --dirty')}  ${files}`,
    ...wrapText(printable(dirtyFacts(dirty), 1000), columns).map((line) => paint.faint(line)),
    '',
    ...wrapText(dirtyHeadline(dirty), columns).map((line) => paint.strong(line)),
    '',
    layOut({ head: ['', ...dirty.methods.map((row) => paint.strong(row.name))], rows: work }),
    '',
    layOut({ head: ['method', ...TIME_COLUMNS.map(({ title }) => title)], rows: timeRows(dirty) }),
    ...(plans.length === 0 ? [] : ['', layOut({ head: PLAN_TITLES, rows: plans })]),
    ...(latencies.length === 0 ? [] : ['', layOut({ head: LATENCY_TITLES, rows: latencies })]),
    ...(storms.length === 0 ? [] : ['', layOut({ head: STORM_TITLES, rows: storms })]),
    ...(boundaries.length === 0
      ? []
      : ['', ...wrapText(crossing, columns), '', layOut({ head: BOUNDARY_TITLES, rows: boundaries })]),
    '',
    ...dirty.caveats.flatMap((caveat) =>
      wrapText(printable(caveat, 1000), columns - 4).map((line, i) =>
        i === 0 ? `  ${paint.warn('!')} ${line}` : `    ${line}`,
      ),
    ),
    ...standingLines(dirty.parameters, paint, columns),
    paint.faint(`Health: ${healthSummary(report.health)}`),
  ].join('\n')}\n`;
}
