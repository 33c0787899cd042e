import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readText, root } from './files.ts';

const document = readText('docs/json.md');
const trace = join(root, 'traces/corpus/vtd-vfio-7.2.iorr');

/** First words of the names in a section's tables: `divergences` of `divergences[]`, `skipped` of `skipped.count`. */
function documented(heading: string): string[] {
  const section = document.slice(document.indexOf(heading) + heading.length).split(/^(?:## |A design:)/m)[0] ?? '';
  const cells = [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].map(([, cell = '']) => cell);
  const names = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => name));
  return [...new Set(names)].sort();
}

function result(...args: readonly string[]): { readonly [name: string]: unknown } {
  const { stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/cli.js'), ...args, '--json'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as { result: { readonly [name: string]: unknown } }).result;
}

describe('docs/json.md', () => {
  test.each([
    ['info', [trace]],
    ['doctor', []],
    ['verify', [trace]],
    ['replay', [trace]],
    ['compare', [trace, '--designs', 'linux-strict']],
    ['analyze pri', [join(root, 'traces/corpus/vtd-pri-pasid-7.2-calls.iorr')]],
  ] as const)('has every name in the result of %s, and no other', (command, args) => {
    expect(Object.keys(result(...command.split(' '), ...args)).sort()).toEqual(documented(`## ${command}\n`));
  });

  test('has every name of a replay that only counts', () => {
    expect(Object.keys(result('replay', trace, '--counts')).sort()).toEqual(documented('## replay with --counts\n'));
  });

  test('has every name of a design', () => {
    const args = ['--designs', 'linux-strict,persistent', '--cores', '1,2'];
    const { designs } = result('compare', trace, ...args) as { designs: readonly object[] };
    const names = new Set(designs.flatMap((design) => Object.keys(design)));
    // only where there are any
    names.add('commandErrors');
    expect([...names].sort()).toEqual(documented('A design:'));
  });
});
