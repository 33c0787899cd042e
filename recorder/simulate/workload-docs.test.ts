import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Workload } from './workload.ts';
import { WORKLOADS } from './workloads.ts';

const document = readFileSync(new URL('../../docs/workloads.md', import.meta.url), 'utf8');

/** The parameters of a workload as docs/workloads.md has them. */
function table({ name, summary, parameters }: Workload): string {
  const rows = parameters.map((parameter) => {
    const unit = parameter.kind === 'number' ? (parameter.unit ?? '') : '';
    const range = parameter.kind === 'number' ? `${parameter.min} to ${parameter.max}` : parameter.choices.join(', ');
    return `| \`${parameter.name}\` | ${unit} | ${parameter.default} | ${range} | ${parameter.about} |`;
  });
  return [
    `### ${name}\n\n${summary}\n`,
    '| parameter | unit | default | values | is |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

describe('docs/workloads.md', () => {
  test.each(WORKLOADS.map((workload) => [workload.name, workload] as const))('has %s', (name, workload) => {
    expect(document).toContain(table(workload));
    expect(document.slice(0, document.indexOf('\n## '))).toContain(`\`${name}\``);
  });
});
