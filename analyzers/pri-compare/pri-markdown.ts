import { escapeMarkdown } from '../report/escape.ts';
import { healthSummary } from '../report/health-lines.ts';
import type { PriReport } from './compare-pri-command.ts';
import { QUEUE_COLUMNS, WAIT_COLUMNS, designColumns, priFacts, priHeadline } from './pri-cells.ts';

/** The tables of `compare --pri` for a pull request. */
export function priMarkdown(report: PriReport): string {
  const { pri } = report.result;
  const rows = (own: typeof WAIT_COLUMNS): readonly string[] =>
    table(
      ['', ...own.map(({ title }) => title)],
      pri.rows.map((row) => [row.name, ...own.map(({ cell }) => cell(row))]),
    );
  return `${[
    `**${escapeMarkdown(priHeadline(pri))}**`,
    '',
    ...rows([...designColumns(pri), ...WAIT_COLUMNS]),
    '',
    ...rows(QUEUE_COLUMNS),
    '',
    ...pri.caveats.map((caveat) => `- ⚠ ${escapeMarkdown(caveat)}`),
    '',
    `<sub>${report.input.map((input) => escapeMarkdown(input.file)).join(', ')}: ${escapeMarkdown(priFacts(pri))} · iorr ${escapeMarkdown(report.version)} · health: ${healthSummary(report.health)}</sub>`,
    '',
    '<details><summary>Parameters</summary>',
    '',
    ...table(
      ['parameter', 'value', 'standing', 'source'],
      pri.parameters.map(({ name, value, unit, standing, source }) => [name, `${value} ${unit}`, standing, source]),
    ),
    '',
    '</details>',
  ].join('\n')}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => escapeMarkdown(cell)).join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? ' :-- ' : ' --: ')).join('|')}|`, ...rows.map(line)];
}
