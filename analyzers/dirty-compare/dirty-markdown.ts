import { escapeMarkdown } from '../report/escape.ts';
import { healthSummary } from '../report/health-lines.ts';
import { markdownParameters, markdownTable } from '../report/markdown-table.ts';
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

/** The tables of `compare --dirty` for a pull request. */
export function dirtyMarkdown(report: DirtyReport): string {
  const { dirty } = report.result;
  const plans = planRows(dirty);
  const latencies = latencyRows(dirty);
  const boundaries = boundaryRows(dirty);
  const storms = stormRows(dirty);
  return `${[
    `**${escapeMarkdown(dirtyHeadline(dirty))}**`,
    '',
    ...markdownTable(['method', ...TIME_COLUMNS.map(({ title }) => title)], timeRows(dirty)),
    '',
    ...markdownTable(
      ['method', ...WORK_COLUMNS.map(({ title }) => title)],
      dirty.methods.map((row) => [row.name, ...WORK_COLUMNS.map(({ cell }) => cell(row))]),
    ),
    '',
    ...(plans.length === 0 ? [] : [...markdownTable(PLAN_TITLES, plans), '']),
    ...(latencies.length === 0 ? [] : [...markdownTable(LATENCY_TITLES, latencies), '']),
    ...(storms.length === 0 ? [] : [...markdownTable(STORM_TITLES, storms), '']),
    ...(boundaries.length === 0
      ? []
      : [escapeMarkdown(crossoverSentence(dirty)), '', ...markdownTable(BOUNDARY_TITLES, boundaries), '']),
    ...dirty.caveats.map((caveat) => `- ⚠ ${escapeMarkdown(caveat)}`),
    '',
    `<sub>${report.input.map((input) => escapeMarkdown(input.file)).join(', ')}: ${escapeMarkdown(dirtyFacts(dirty))} · iorr ${escapeMarkdown(report.version)} · health: ${healthSummary(report.health)}</sub>`,
    '',
    ...markdownParameters(dirty.parameters),
  ].join('\n')}\n`;
}
