import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Programs of package.json that take options, as `npm run` starts them once all is built. */

const ROOT = join(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: { readonly [name: string]: string };
};
const PROGRAMS = ['bench:limit', 'bench:sweep', 'bench:peers', 'docs', 'validate', 'lab', 'fuzz'] as const;

function run(
  name: string,
  ...args: readonly string[]
): { readonly status: number | null; readonly out: string; readonly err: string } {
  const program = /node (\S+)$/.exec(scripts[name] ?? '')?.[1] ?? '';
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, program), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return { status, out: stdout, err: stderr };
}

test.each(PROGRAMS)('%s does nothing with an option that it does not have, and says so in a line', (name) => {
  const { status, out, err } = run(name, '--nonsense');
  expect(status).toBe(2);
  expect(out).toBe('');
  expect(err).toMatch(new RegExp(`^${name}: unknown option --nonsense: it takes .+\\n$`));
});

test.each([
  ['bench:limit', ['--evnts', '1'], 'unknown option --evnts: did you mean --events?'],
  ['bench:limit', ['--events'], "Option '--events <value>' argument missing"],
  ['bench:limit', ['--events', '1e12'], '--events 1e12: at most 40000000; --stream takes more'],
  ['bench:limit', ['--shapes', 'dma,nothing'], /^no shape nothing; there are pure, dma, /],
  ['bench:limit', ['--stream', 'many'], '--stream many: a whole number from 1 on expected'],
  ['validate', ['nothing'], /^no section nothing; there are A, /],
  ['docs', ['nothing'], /^no part nothing; there are /],
  ['bench:peers', ['extra'], /^Unexpected argument 'extra'/],
  ['fuzz', ['--only', 'nothing'], /^no target nothing; there are /],
  ['fuzz', ['--count', '-1'], /count/],
] as const)('%s %j: %s', (name, args, message) => {
  const { status, out, err } = run(name, ...args);
  expect([status, out]).toEqual([2, '']);
  expect(err.split('\n')).toHaveLength(2);
  const text = err.slice(`${name}: `.length, -1);
  if (typeof message === 'string') expect(text).toBe(message);
  else expect(text).toMatch(message);
});
