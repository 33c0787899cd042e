import { sectionText, summaryText } from './line-table.ts';
import { holds } from './line.ts';
import type { ValidationLine } from './line.ts';
import { SECTIONS } from './sections.ts';

// npm run validate [-- A,D] [-- --short] [-- --json]: the published figures against the model. Exits with 3 if a line does not hold.

const args = process.argv.slice(2);
const short = args.includes('--short');
const json = args.includes('--json');
const wanted = args.filter((arg) => !arg.startsWith('--')).flatMap((arg) => arg.split(','));
const unknown = wanted.filter((name) => !SECTIONS.some((section) => section.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no section ${unknown.join(', ')}; there are ${SECTIONS.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const lines: ValidationLine[] = [];
const sections = SECTIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
for (const section of sections) {
  const found = await section.run(short);
  lines.push(...found);
  if (!json) process.stdout.write(`${sectionText(section, found)}\n`);
}
if (json) process.stdout.write(`${JSON.stringify(lines, null, 2)}\n`);
else process.stdout.write(summaryText(lines));
process.exitCode = lines.every(holds) ? 0 : 3;
