import { printable } from '../report/escape.ts';
import { healthSummary } from '../report/health-lines.ts';
import { paintFor } from '../report/paint.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import type { RenderOptions } from '../report/renderer.ts';
import { MIN_COLUMNS, standingLines } from '../report/terminal-lines.ts';
import type { PriReport } from './compare-pri-command.ts';
import { QUEUE_COLUMNS, WAIT_COLUMNS, designColumns, priFacts, priHeadline } from './pri-cells.ts';

/** The tables of `compare --pri` for a terminal. */
export function priTables(report: PriReport, options: RenderOptions): string {
  const { pri } = report.result;
  const paint = paintFor(options.colour);
  const columns = Math.max(MIN_COLUMNS, options.columns);
  const files = report.input.map((input) => printable(input.file, 120)).join(', ');
  const table = (own: typeof WAIT_COLUMNS, left: number): string =>
    layOut({
      head: ['', ...own.map(({ title }) => title)],
      rows: pri.rows.map((row) => [paint.strong(row.name), ...own.map(({ cell }) => cell(row))]),
      left,
    });
  return `${[
    `${paint.strong('iorr compare --pri')}  ${files}`,
    ...wrapText(printable(priFacts(pri), 1000), columns).map((line) => paint.faint(line)),
    '',
    ...wrapText(priHeadline(pri), columns).map((line) => paint.strong(line)),
    '',
    table([...designColumns(pri), ...WAIT_COLUMNS], 2),
    '',
    table(QUEUE_COLUMNS, 1),
    '',
    ...pri.caveats.flatMap((caveat) =>
      wrapText(printable(caveat, 1000), columns - 4).map((line, i) =>
        i === 0 ? `  ${paint.warn('!')} ${line}` : `    ${line}`,
      ),
    ),
    ...standingLines(pri.parameters, paint, columns),
    paint.faint(`Health: ${healthSummary(report.health)}`),
  ].join('\n')}\n`;
}
