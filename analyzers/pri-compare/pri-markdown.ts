import { escapeMarkdown } from '../report/escape.ts';
import { healthSummary } from '../report/health-lines.ts';
import { markdownParameters, markdownTable } from '../report/markdown-table.ts';
import type { PriReport } from './compare-pri-command.ts';
import { QUEUE_COLUMNS, WAIT_COLUMNS, designColumns, priFacts, priHeadline } from './pri-cells.ts';

/** The tables of `compare --pri` for a pull request. */
export function priMarkdown(report: PriReport): string {
  const { pri } = report.result;
  const rows = (own: typeof WAIT_COLUMNS): readonly string[] =>
    markdownTable(
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
    ...markdownParameters(pri.parameters),
  ].join('\n')}\n`;
}
