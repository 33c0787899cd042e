import { programExit, programNames, programOptions } from '../../traces/program.ts';
import { sectionText, summaryText } from './line-table.ts';
import { holds } from './line.ts';
import type { ValidationLine } from './line.ts';
import { SECTIONS } from './sections.ts';

// npm run validate [-- A,D] [-- --short] [-- --json]: the published figures against the model. Exits with 3 if a line does not hold.

process.exitCode = await programExit('validate', async () => {
  const { values, positionals } = programOptions({
    options: { short: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const known = SECTIONS.map(({ name }) => name);
  const wanted = programNames('section', positionals, known);
  const lines: ValidationLine[] = [];
  for (const section of SECTIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const found = await section.run(values.short);
    lines.push(...found);
    if (!values.json) process.stdout.write(`${sectionText(section, found)}\n`);
  }
  process.stdout.write(values.json ? `${JSON.stringify(lines, null, 2)}\n` : summaryText(lines));
  return lines.every(holds) ? 0 : 3;
});
