import { readFileSync, writeFileSync } from 'node:fs';
import { programExit, programNames, programOptions } from '../../traces/program.ts';
import { withPart } from './page-parts.ts';
import { GENERATED_PARTS } from './parts.ts';

// npm run docs [-- NAME,...] [-- --quick]: writes the generated parts of the documentation anew, in the checkout that it is run in.

const read = (path: string): string => readFileSync(path, 'utf8');

process.exitCode = await programExit('docs', async () => {
  const { values, positionals } = programOptions({
    options: { quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const names = GENERATED_PARTS.map(({ name }) => name);
  const wanted = programNames('part', positionals, names);
  for (const { page, name, slow, text } of GENERATED_PARTS) {
    if (wanted.length > 0 ? !wanted.includes(name) : values.quick && slow === true) continue;
    const before = read(page);
    const after = withPart(before, name, await text(read));
    if (after !== before) writeFileSync(page, after);
    process.stdout.write(`${page}: ${name} ${after === before ? 'unchanged' : 'written'}\n`);
  }
  return 0;
});
