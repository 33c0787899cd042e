import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { optionNames } from '../analyzers/command-line/option-names.ts';
import type { CommandSpec } from '../traces/command.ts';
import { root } from './files.ts';

/** A run of a command as it is usually meant: it succeeds, and takes well under a second. */
interface Run {
  readonly args: readonly string[];
  /** What it reads from stdin in the place of a file, where it can. */
  readonly stdin?: readonly string[];
}

const CLI = join(root, 'dist/cli.js');
const CORPUS = join(root, 'traces/corpus');
const FIXTURE = join(root, 'recorder/import/fixtures/ftrace-6.12-strict.txt');
const TRACE = 't.iorr';
const GOAL = ['--goal', 'hit rate >= 0.1', '--hardware', 'vtd-64x4', '--vary', 'sets=1,2'];

/** Every command has a line; `undefined` where nothing that is there without more can be run. */
const RUNS: { readonly [command: string]: Run | undefined } = {
  record: undefined,
  import: { args: [FIXTURE, '-o', 'imported.iorr'] },
  simulate: { args: ['packet-nic', '--set', 'events=1000', '-o', 'simulated.iorr'] },
  info: { args: [TRACE], stdin: ['-'] },
  cat: { args: [TRACE], stdin: ['-'] },
  filter: { args: [TRACE, '--stream', 'map', '-o', 'filtered.iorr'], stdin: ['-', '--stream', 'map', '-o', '-'] },
  split: { args: [TRACE, '--every', '1ms', '-o', 'part'] },
  cut: { args: [TRACE, '--to', '1ms', '-o', 'cut.iorr'], stdin: ['-', '--to', '1ms', '-o', '-'] },
  export: { args: [TRACE, '--to', 'csv', '-o', 'tables'], stdin: ['-', '--to', 'ndjson', '-o', '-'] },
  merge: { args: [TRACE, TRACE, '--offset', '1ms', '-o', 'merged.iorr'] },
  anonymise: {
    args: [TRACE, '--key', 'a key of some words', '-o', 'public.iorr'],
    stdin: ['-', '--key', 'a key of some words', '-o', '-'],
  },
  sql: { args: [TRACE, 'select count(*) from map'] },
  verify: { args: [join(CORPUS, 'vtd-vfio-7.2.iorr')] },
  replay: { args: [TRACE], stdin: ['-'] },
  compare: { args: [TRACE], stdin: ['-'] },
  diff: { args: [TRACE, TRACE], stdin: [TRACE, '-'] },
  analyze: { args: ['safety', TRACE], stdin: ['safety', '-'] },
  sweep: { args: [TRACE, '--hardware', 'vtd-64x4', '--set', 'sets=1,2'] },
  worker: undefined,
  plan: { args: [TRACE, ...GOAL] },
  report: { args: ['r.json', '-o', 'r.html'], stdin: ['-', '-o', '-'] },
  view: undefined,
  calibrate: { args: [join(CORPUS, 'nested-qemu-vfio-7.2.iorr')] },
  bench: undefined,
  config: { args: ['--print'] },
  completion: { args: ['bash'] },
  doctor: undefined,
};

/** The table of the built program: asked once, since loading all of it costs more than most runs here. */
const TABLE = `
  const { COMMANDS } = await import(process.argv[1]);
  const specs = await Promise.all(COMMANDS.map(({ load }) => load()));
  console.log(JSON.stringify(specs.map(({ name, options, examples }) => ({ name, options, examples }))));`;
const asked = spawnSync(process.execPath, ['--input-type=module', '-e', TABLE, pathToFileURL(CLI).href], {
  encoding: 'utf8',
});
const specs = JSON.parse(asked.stdout) as readonly Pick<CommandSpec, 'name' | 'options' | 'examples'>[];
const names = specs.map(({ name }) => name);
const hasOption = (name: string, long: string): boolean =>
  specs.some((spec) => spec.name === name && spec.options.some((option) => optionNames(option).long === long));
const jsonCommands = new Set(names.filter((name) => hasOption(name, '--json')));
const runnable = names.filter((name) => RUNS[name] !== undefined);
/** Those whose result goes to stdout. */
const printing = runnable.filter((name) => RUNS[name]?.args.includes('-o') === false);

let folder = '';

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Surroundings {
  readonly env?: { readonly [name: string]: string };
  readonly stdin?: string;
  /** Closed before anything is written into it. */
  readonly closed?: boolean;
}

async function iorr(args: readonly string[], { env, stdin, closed }: Surroundings = {}): Promise<Outcome> {
  const input = stdin === undefined ? '' : `< ${stdin}`;
  const command = `"$0" "$@" ${input}`;
  const child = spawn('/bin/sh', ['-c', command, process.execPath, CLI, ...args], {
    cwd: folder,
    env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, FORCE_COLOR: undefined, NO_COLOR: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (closed === true) child.stdout.destroy();
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const argsOf = (name: string): readonly string[] => [name, ...(RUNS[name]?.args ?? [])];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-commands-'));
  await iorr(['simulate', 'packet-nic', '--set', 'events=3000', '-o', TRACE]);
  const result = await iorr(['replay', TRACE, '--json']);
  writeFileSync(join(folder, 'r.json'), result.stdout);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('every command has its line here, and no other has', () => {
  expect(Object.keys(RUNS).filter((name) => !names.includes(name) && name !== 'view' && name !== 'report')).toEqual([]);
  expect(names.filter((name) => !Object.hasOwn(RUNS, name))).toEqual([]);
});

describe.concurrent('the program', () => {
  test('--version names its own and that of the trace format', async ({ expect }) => {
    const { code, stdout, stderr } = await iorr(['--version']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+ \(trace format \d+\)\n$/);
  });

  test('--help lists every command on stdout', async ({ expect }) => {
    const { code, stdout, stderr } = await iorr(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  test('a mistyped command gets the nearest, and exit code 2', async ({ expect }) => {
    const { code, stdout, stderr } = await iorr(['comprae', TRACE]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Did you mean compare?');
  });

  test('without a command it says what there is, and exits with 2', async ({ expect }) => {
    const { code, stdout, stderr } = await iorr([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: iorr');
  });
});

describe.concurrent('every command', () => {
  test.each(specs.map((spec) => [spec.name, spec] as const))('%s --help', async (name, spec) => {
    const { code, stdout, stderr } = await iorr([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { flags } of spec.options) expect(stdout).toContain(`  ${flags}`);
    for (const { command } of spec.examples) expect(stdout).toContain(command);
    expect(stdout).toContain('General:');
  });

  test.each(names)('%s with an option that there is not: 2, a hint, nothing on stdout', async (name) => {
    const { code, stdout, stderr } = await iorr([name, '--verbsoe']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Did you mean --verbose?');
  });
});

describe.concurrent('what can be run here', () => {
  test.each(runnable.filter((name) => jsonCommands.has(name)))(
    '%s --json --verbose: one document on stdout, what is set and what it took on stderr',
    async (name) => {
      const { code, stdout, stderr } = await iorr([...argsOf(name), '--json', '--verbose'], {
        env: { IORR_SEED: '7' },
      });
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      expect(stderr).toMatch(new RegExp(`^iorr: ${name}\\b`));
      expect(stderr).toMatch(new RegExp(`^iorr: ${name} took \\d+\\.\\d\\d s and \\d+ MiB of memory$`, 'm'));
      expect(stderr.includes('  seed = 7 (IORR_SEED)')).toBe(hasOption(name, '--seed'));
      if (name === 'cat') {
        for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('stream');
        return;
      }
      const document = JSON.parse(stdout) as { readonly command: string; readonly options: { readonly seed?: number } };
      expect(document).toMatchObject({ schemaVersion: 1, tool: 'iorr' });
      expect(document.command.split(' ')[0]).toBe(name);
      for (const key of ['version', 'input', 'options', 'health', 'result']) expect(document).toHaveProperty(key);
      // the settings that hold are in the result, wherever they come from
      if (hasOption(name, '--seed')) expect(document.options.seed).toBe(7);
    },
  );

  test.each(printing)('%s --quiet whose reader is gone: nothing on stderr, no failure', async (name) => {
    const { code, stderr } = await iorr([...argsOf(name), '--quiet'], { closed: true });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test.each(runnable.filter((name) => RUNS[name]?.stdin !== undefined))('%s reads stdin', async (name) => {
    const run = RUNS[name];
    const stdin = name === 'report' ? 'r.json' : TRACE;
    const { code, stdout, stderr } = await iorr([name, ...(run?.stdin ?? [])], { stdin, env: { FORCE_COLOR: '1' } });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toBe('');
    // colours are for terminals alone, whatever FORCE_COLOR says to others
    expect(stdout).not.toMatch(/\u001b\[\d*m/);
  });
});

test('files that a run made are where -o says', () => {
  const made = ['imported.iorr', 'simulated.iorr', 'filtered.iorr', 'cut.iorr', 'merged.iorr', 'public.iorr'];
  expect(made.filter((name) => !existsSync(join(folder, name)))).toEqual([]);
});
