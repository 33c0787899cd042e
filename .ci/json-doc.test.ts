import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ANALYSES } from '../analyzers/analyses.ts';
import { readText, root } from './files.ts';
import { definedNames, jsonSection, undefinedNames } from './json-names.ts';

const document = readText('docs/json.md');
const trace = join(root, 'traces/corpus/vtd-vfio-7.2.iorr');

/** Has every name that a comparison can have. */
const COMPARE = ['compare', trace, '--designs', 'linux-strict,persistent', '--cores', '1,2'];

/** First words of the names in a section's tables: `divergences` of `divergences[]`, `skipped` of `skipped.count`. */
function documented(heading: string): string[] {
  const section = document.slice(document.indexOf(heading) + heading.length).split(/^(?:## |A design:)/m)[0] ?? '';
  const cells = [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].map(([, cell = '']) => cell);
  const names = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => name));
  return [...new Set(names)].sort();
}

/** Results by command line: several tests look at the same. */
const results = new Map<string, { readonly [name: string]: unknown }>();

function result(...args: readonly string[]): { readonly [name: string]: unknown } {
  const line = args.join(' ');
  const known = results.get(line) ?? run(args);
  results.set(line, known);
  return known;
}

function run(args: readonly string[]): { readonly [name: string]: unknown } {
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
    ['compare', COMPARE.slice(1)],
    ['analyze pri', [join(root, 'traces/corpus/vtd-pri-pasid-7.2-calls.iorr')]],
  ] as const)('has every name in the result of %s, and no other', (command, args) => {
    expect(Object.keys(result(...command.split(' '), ...args)).sort()).toEqual(documented(`## ${command}\n`));
  });

  test('has every name of a replay that only counts', () => {
    expect(Object.keys(result('replay', trace, '--counts')).sort()).toEqual(documented('## replay with --counts\n'));
  });

  test('has every name of a design', () => {
    const { designs } = result(...COMPARE) as { designs: readonly object[] };
    const names = new Set(designs.flatMap((design) => Object.keys(design)));
    // only where there are any
    names.add('commandErrors');
    expect([...names].sort()).toEqual(documented('A design:'));
  });
});

const corpus = (name: string): string => join(root, `traces/corpus/${name}.iorr`);

/** Runs whose every name, at any depth, is defined in a section of docs/json.md, or on the page of the command. */
const DEEP: readonly (readonly [section: string, page: string, ...args: readonly string[]])[] = [
  ['info', 'docs/analyses/info.md', 'info', trace],
  ['verify', 'docs/analyses/verify.md', 'verify', trace],
  ['replay', 'docs/analyses/replay.md', 'replay', trace],
  ['replay with --counts', 'docs/analyses/replay.md', 'replay', trace, '--counts'],
  ['compare', 'docs/analyses/compare.md', ...COMPARE],
  ['compare --dirty', 'docs/dirty-methods.md', 'compare', trace, '--dirty', 'ad-bits@4k,pri-log', '--plan', '1GiB'],
  ['compare --pri', 'docs/page-requests.md', 'compare', corpus('vtd-pri-pasid-7.2'), '--pri', 'depth=64'],
  ['analyze batching', 'docs/analyses/batching.md', 'analyze', 'batching', trace],
  ['analyze dirty', 'docs/analyses/dirty.md', 'analyze', 'dirty', corpus('migration-dirty')],
  ['analyze ioctl', 'docs/analyses/ioctl.md', 'analyze', 'ioctl', corpus('vtd-vfio-7.2-ioctl')],
  ['analyze ioctl', 'docs/analyses/ioctl.md', 'analyze', 'ioctl', corpus('vtd-vfio-7.2-ioctl'), '--at', '1s'],
  ['analyze iotlb', 'docs/iotlb.md', 'analyze', 'iotlb', trace],
  ['analyze latency', 'docs/analyses/latency.md', 'analyze', 'latency', corpus('vtd-pri-pasid-7.2')],
  ['analyze pri', 'docs/page-requests.md', 'analyze', 'pri', corpus('vtd-pri-pasid-7.2-calls')],
  ['analyze safety', 'docs/analyses/safety.md', 'analyze', 'safety', trace],
  ['diff', 'docs/diff.md', 'diff', trace, corpus('vtd-first-stage-vfio-7.2'), '--no-replay'],
  ['sweep', 'docs/sweep.md', 'sweep', trace, '--hardware', 'vtd-64x4', '--set', 'sets=1,2'],
  ['plan', 'docs/plan.md', 'plan', trace, '--hardware', 'vtd-64x4', '--goal', 'hit rate >= 0.5', '--tenants', '1,2'],
  ['calibrate', 'docs/calibrate.md', 'calibrate', trace],
];

describe('names of results at any depth', () => {
  test.each(DEEP)('%s: %s', (section, page, ...args) => {
    const text = jsonSection(document, section);
    expect(text).not.toBe('');
    expect(undefinedNames(result(...args), `${text}\n${readText(page)}`)).toEqual([]);
  });

  test('every analysis is among them', () => {
    const asked = new Set(DEEP.map(([, , command, name]) => (command === 'analyze' ? name : undefined)));
    expect(ANALYSES.filter(({ name }) => !asked.has(name)).map(({ name }) => name)).toEqual([]);
  });

  test('sections take in those that they refer to; names of data are no names', () => {
    const text = '\n## a\nas in `b`; `x.<name>`, `ns.{p50,p95}`\n## b\n`y`\n## c\n`z`\n';
    const section = jsonSection(text, 'a');
    expect(definedNames(section)).toEqual(new Set(['b', 'x', 'name', 'ns', 'p50', 'p95', 'y']));
    expect(undefinedNames({ x: { q: { y: 1 } }, ns: { p50: [{ z: 1 }] } }, section)).toEqual(['.ns.p50[].z']);
  });
});
