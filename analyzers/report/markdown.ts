import { baseRow, comparedRows, valueOf } from './comparison.ts';
import { escapeMarkdown } from './escape.ts';
import { formatChange, formatCount, formatNs } from './format-units.ts';
import { headline } from './headline.ts';
import { caveatsOf, healthSummary } from './health-lines.ts';
import { KEY_METRICS, bestValue, formatMetric } from './metrics.ts';
import { notRenderable } from './renderer.ts';
import type { Renderer } from './renderer.ts';

/** Metrics whose change against the base is worth a place in a pull request. */
const WITH_CHANGE: ReadonlySet<string> = new Set(['commands', 'cpuNs', 'exposure.pageSeconds']);

/** A comment for a pull request: the sentence, a compact table, what to doubt; the rest folded away. */
export const markdownRenderer: Renderer = {
  name: 'markdown',
  does: 'a compact table for a pull request',
  extension: 'md',
  commands: ['compare'],
  render(report) {
    if (report.command !== 'compare') throw notRenderable('markdown', report.command, ['compare']);
    const { result } = report;
    const rows = comparedRows(result);
    const base = baseRow(rows);
    const designs = rows.filter((row) => !row.recorded).map((row) => row.design);
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    const table = [
      line(['design', ...KEY_METRICS.map((metric) => metric.title)]),
      line([':--', ...KEY_METRICS.map(() => '--:')]),
      ...rows.map((row) =>
        line([
          row.recorded ? '*recorded*' : escapeMarkdown(row.label),
          ...KEY_METRICS.map((metric) => {
            const value = valueOf(metric, row);
            const text = formatMetric(metric, value);
            const best = value !== null && !row.recorded && value === bestValue(metric, designs);
            const change =
              row.recorded || row === base || base === null || !WITH_CHANGE.has(metric.key)
                ? ''
                : formatChange(value, valueOf(metric, base));
            return `${best ? `**${text}**` : text}${change === '' || change === 'same' ? '' : ` (${change})`}`;
          }),
        ]),
      ),
    ];
    const caveats = caveatsOf(report);
    const facts = [
      `${report.input.map((input) => escapeMarkdown(input.file)).join(', ')}: ${formatCount(result.events)} events in ${formatNs(result.durationNs)}`,
      `hardware ${escapeMarkdown(result.hardware)}`,
      `cost profile ${escapeMarkdown(result.profile)}`,
      `accesses ${escapeMarkdown(result.access)}`,
      `iorr ${escapeMarkdown(report.version)}`,
    ];
    const parameters = result.parameters.map((parameter) =>
      line([
        escapeMarkdown(parameter.name),
        `${parameter.value} ${escapeMarkdown(parameter.unit)}`,
        parameter.standing,
        escapeMarkdown(parameter.source),
      ]),
    );
    return `${[
      `**${escapeMarkdown(headline(result).title)}**`,
      '',
      ...table,
      '',
      ...caveats.map((caveat) => `- ⚠ ${escapeMarkdown(caveat)}`),
      ...(caveats.length > 0 ? [''] : []),
      `<sub>${facts.join(' · ')}</sub>`,
      ...(base === null || designs.length < 2
        ? []
        : ['', `<sub>Changes against ${escapeMarkdown(base.label)}; best in bold.</sub>`]),
      '',
      '<details><summary>Parameters and health</summary>',
      '',
      ...(parameters.length > 0
        ? [line(['parameter', 'value', 'standing', 'source']), line([':--', '--:', ':--', ':--']), ...parameters, '']
        : []),
      `Health: ${healthSummary(report.health)}`,
      '',
      '</details>',
    ].join('\n')}\n`;
  },
};
