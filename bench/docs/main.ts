import { readFileSync, writeFileSync } from 'node:fs';
import { withPart } from './page-parts.ts';
import { GENERATED_PARTS } from './parts.ts';

// npm run docs [-- NAME,...] [-- --quick]: writes the generated parts of the documentation anew, in the checkout that it is run in.

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const wanted = args.filter((arg) => !arg.startsWith('--')).flatMap((arg) => arg.split(','));
const names = GENERATED_PARTS.map(({ name }) => name);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no part ${unknown.join(', ')}; there are ${names.join(', ')}\n`);
  process.exit(2);
}

const read = (path: string): string => readFileSync(path, 'utf8');
for (const { page, name, slow, text } of GENERATED_PARTS) {
  if (wanted.length > 0 ? !wanted.includes(name) : quick && slow === true) continue;
  const before = read(page);
  const after = withPart(before, name, await text(read));
  if (after !== before) writeFileSync(page, after);
  process.stdout.write(`${page}: ${name} ${after === before ? 'unchanged' : 'written'}\n`);
}
