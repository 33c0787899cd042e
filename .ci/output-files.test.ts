import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../cli.ts';

/** Files that commands write: whole or not at all, whatever was there, for every command that has such an option. */

const ROOT = join(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist', 'cli.js');
const CORPUS = join(ROOT, 'traces', 'corpus');
const TRACE = join(CORPUS, 'vtd-vfio-7.2.iorr');
const folder = mkdtempSync(join(tmpdir(), 'iorr-outputs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Traces are readable while they grow, and after a kill: they are written in their place. */
const TRACES = ['record', 'import', 'simulate', 'filter', 'cut', 'split', 'merge', 'anonymise'];

/** A run of each command and option that writes another file; OUT stands for it. */
const RUNS: { readonly [option: string]: readonly string[] } = {
  'export --output': ['export', TRACE, '--to', 'ndjson', '--stream', 'mark', '-o', 'OUT'],
  'compare --html': ['compare', TRACE, '--designs', 'linux-strict', '--html', 'OUT'],
  'diff --markdown-to': ['diff', TRACE, TRACE, '--markdown-to', 'OUT'],
  'analyze --html': ['analyze', 'latency', TRACE, '--html', 'OUT'],
  'sweep --output': ['sweep', TRACE, '--set', 'sets=1,2', '--hardware', 'vtd-64x4', '-o', 'OUT.json'],
  'sweep --html': ['sweep', TRACE, '--set', 'sets=1,2', '--hardware', 'vtd-64x4', '--html', 'OUT'],
  'plan --html': [
    'plan',
    TRACE,
    '--hardware',
    'vtd-64x4',
    '--goal',
    'hit rate > 0',
    '--vary',
    'sets=1,2',
    '--html',
    'OUT',
  ],
  'report --output': ['report', 'RESULT', '-o', 'OUT'],
  'calibrate --output': ['calibrate', TRACE, '-o', 'OUT'],
  'bench --markdown-to': ['bench', '--suite', 'decode', '--time', '1', '--baseline', 'BENCH', '--markdown-to', 'OUT'],
};

function iorr(args: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  const env = { ...process.env, NO_COLOR: '1', LC_ALL: 'C', XDG_CONFIG_HOME: folder };
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', env, maxBuffer: 2 ** 28 });
}

/** What a command printed with `--json`, as a file. */
function printed(name: string, args: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, iorr([...args, '--json']).stdout);
  return path;
}

test('the runs here are those of all options that name a file to write', async () => {
  const found: string[] = [];
  for (const { name, load } of COMMANDS) {
    const { options } = await load();
    for (const { flags } of options) {
      const long = /^(?:-\w, )?(--[\w-]+) <(?:file|path|prefix)>/.exec(flags)?.[1];
      if (long !== undefined && /^--(?:output|html|markdown-to)$/.test(long)) found.push(`${name} ${long}`);
    }
  }
  const others = found.filter((option) => !TRACES.includes(option.split(' ')[0] ?? ''));
  expect(others.toSorted()).toEqual(Object.keys(RUNS).toSorted());
  expect(found.filter((option) => !others.includes(option))).toHaveLength(TRACES.length);
});

describe('written beside it, then put in its place', () => {
  test.each(Object.entries(RUNS))('%s', (option, args) => {
    const place = join(folder, option.replaceAll(' ', '-'));
    mkdirSync(place);
    mkdirSync(join(place, 'real'));
    const ending = args.find((arg) => arg.startsWith('OUT'))?.slice('OUT'.length) ?? '';
    const file = join(place, 'real', `out${ending}`);
    const twin = join(place, 'twin');
    const link = join(place, `link${ending}`);
    writeFileSync(file, 'what was there');
    chmodSync(file, 0o640);
    // a second name of the old file: it stays as it was if nothing is written into it
    linkSync(file, twin);
    symlinkSync(`real/out${ending}`, link);
    const own = args.map((arg) =>
      arg.startsWith('OUT')
        ? link
        : arg === 'RESULT'
          ? printed('result.json', ['analyze', 'latency', TRACE])
          : arg === 'BENCH'
            ? printed('bench.json', ['bench', '--suite', 'decode', '--time', '1'])
            : arg,
    );
    const { status, stderr } = iorr(own);
    // two benchmarks of a millisecond differ: what the gate says of them is in the file either way
    const gate = args.includes('--baseline') ? [0, 3] : [0];
    expect({ gate, stderr }).toEqual({ gate: expect.arrayContaining([status]), stderr: expect.any(String) });
    expect(readFileSync(twin, 'utf8')).toBe('what was there');
    expect(readFileSync(file, 'utf8').length).toBeGreaterThan('what was there'.length);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readdirSync(join(place, 'real'))).toEqual([`out${ending}`]);
  });
});

test('a page may go to /dev/stdout, after the text', () => {
  const { stdout, status } = iorr(['analyze', 'latency', TRACE, '--html', '/dev/stdout']);
  expect(status).toBe(0);
  expect(stdout).toContain('<!doctype html>');
  expect(stdout).toContain('</html>');
});
