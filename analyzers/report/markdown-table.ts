import type { ProfileParameter } from '../../replay/results.ts';
import { escapeMarkdown } from './escape.ts';

/** A table whose first column is words and whose others are figures; cells are escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => escapeMarkdown(cell)).join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? ' :-- ' : ' --: ')).join('|')}|`, ...rows.map(line)];
}

/** What the figures rest on, folded away. */
export function markdownParameters(parameters: readonly ProfileParameter[]): readonly string[] {
  return [
    '<details><summary>Parameters</summary>',
    '',
    ...markdownTable(
      ['parameter', 'value', 'standing', 'source'],
      parameters.map(({ name, value, unit, standing, source }) => [name, `${value} ${unit}`, standing, source]),
    ),
    '',
    '</details>',
  ];
}
