import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from './files.ts';

const CLI = join(root, 'dist/cli.js');
/** Longer than what shows no progress, and than what a signal needs to arrive. */
const LONG = ['simulate', 'packet-nic', '--set', 'events=600k', '-o', 'long.iorr'];

let folder = '';
const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  HOME: folder,
  XDG_CONFIG_HOME: folder,
  TERM: 'xterm',
  FORCE_COLOR: undefined,
  NO_COLOR: undefined,
});

function iorr(
  args: readonly string[],
  env: { readonly [name: string]: string } = {},
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd: folder,
    env: { ...environment(), ...env },
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

/** What appears on a terminal of 100 columns. `redirect` may send one of the two streams elsewhere. */
function onTerminal(args: readonly string[], env: { readonly [name: string]: string } = {}, redirect = ''): string {
  const command = `stty cols 100; '${process.execPath}' '${CLI}' ${args.join(' ')} ${redirect}`;
  return spawnSync('script', ['-qec', command, '/dev/null'], {
    cwd: folder,
    env: { ...environment(), ...env },
    encoding: 'utf8',
  }).stdout;
}

const noTerminal = spawnSync('script', ['--version']).status !== 0;
if (noTerminal) console.log('script (util-linux) is not installed: nothing is shown on a terminal here');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-terminal-'));
  iorr(['simulate', 'packet-nic', '--set', 'events=3000', '-o', 't.iorr']);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(noTerminal)('on a terminal', () => {
  const COLOUR = /\u001b\[[\d;]*m/;
  /** A bar with a share and the time that is left. */
  const BAR = /simulating packet-nic [=-]+ \d+% \| (?:\d+ (?:s|min)|\?) left/;

  test('results have colours, but not with NO_COLOR, with TERM=dumb, or in a pipe', () => {
    const compare = ['compare', 't.iorr'];
    expect(onTerminal(compare)).toMatch(COLOUR);
    expect(onTerminal(compare, { NO_COLOR: '1' })).not.toMatch(COLOUR);
    expect(onTerminal(compare, { TERM: 'dumb' })).not.toMatch(COLOUR);
    expect(onTerminal(compare, {}, '| cat')).not.toMatch(COLOUR);
  });

  test('what takes longer shows how far it is, but not with --quiet, on TERM=dumb, or where stderr is none', () => {
    const shown = onTerminal(LONG);
    expect(shown).toMatch(BAR);
    expect(shown).toMatch(/long\.iorr: 60000\d events/);
    expect(onTerminal([...LONG, '--quiet'])).toBe('');
    expect(onTerminal(LONG, { TERM: 'dumb' })).not.toMatch(BAR);
    expect(onTerminal(LONG, {}, '2>err.txt')).toBe('');
  });

  test('what is done at once shows none', () => {
    expect(onTerminal(['simulate', 'packet-nic', '--set', 'events=1000', '-o', 'short.iorr'])).not.toMatch(BAR);
  });
});

describe('settings', () => {
  test('of the user’s file, of another, of the environment and of the command line are all told apart', () => {
    const mine = join(folder, 'iorr/config.json');
    spawnSync('mkdir', ['-p', join(folder, 'iorr')]);
    writeFileSync(mine, '{\n  "all": { "seed": 3 },\n  "replay": { "hardware": "vtd-64x4" }\n}\n');
    writeFileSync(join(folder, 'lab.json'), '{"replay": {"hardware": "amd-generic"}}');
    const options = (args: readonly string[], env: { readonly [name: string]: string } = {}): object => {
      const { code, stdout, stderr } = iorr(['replay', 't.iorr', '--json', ...args], env);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return (JSON.parse(stdout) as { readonly options: object }).options;
    };
    expect(options([])).toMatchObject({ hardware: 'vtd-64x4', seed: 3 });
    expect(options([], { IORR_HARDWARE: 'riscv-generic' })).toMatchObject({ hardware: 'riscv-generic', seed: 3 });
    expect(options(['--seed', '9'], { IORR_SEED: '8' })).toMatchObject({ hardware: 'vtd-64x4', seed: 9 });
    expect(options(['--config', 'lab.json'])).toMatchObject({ hardware: 'amd-generic', seed: 1 });
    expect(options([], { IORR_CONFIG: 'lab.json' })).toMatchObject({ hardware: 'amd-generic', seed: 1 });

    const { stdout } = iorr(['config', '--print', 'replay'], { IORR_ACCESS: 'ring', IORR_SEDE: '1' });
    expect(stdout).toContain(`settings file: ${mine}\n`);
    expect(stdout).toMatch(new RegExp(`^replay +--hardware +vtd-64x4 +file: ${mine}:3$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^replay +--seed +3 +file: ${mine}:2$`, 'm'));
    expect(stdout).toMatch(/^replay +--access +ring +environment: IORR_ACCESS$/m);
    expect(stdout).toMatch(/^replay +--repeat +1 +default$/m);
    expect(stdout).toContain('IORR_SEDE names no option of any command\n');
    // without --print, what is set alone
    expect(iorr(['config', 'replay']).stdout).not.toContain('default');
    rmSync(join(folder, 'iorr'), { recursive: true });
  });

  test('a mistake ends a command with 2, its file and line, before anything is read', () => {
    writeFileSync(join(folder, 'wrong.json'), '{\n  "replay": {\n    "hardwear": "x"\n  }\n}\n');
    expect(iorr(['replay', 'no-such.iorr', '--config', 'wrong.json'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'iorr: wrong.json:3: replay has no option "hardwear"\n  try: did you mean "hardware"?\n',
    });
    // another command does not fail for it, but config tells of all
    expect(iorr(['info', 't.iorr', '--config', 'wrong.json']).code).toBe(0);
    expect(iorr(['config', 'info', '--config', 'wrong.json'])).toMatchObject({ code: 2 });
  });

  test('a value that a command refuses is told with where it is set', () => {
    const { code, stderr } = iorr(['compare', 't.iorr'], { IORR_SEED: 'x' });
    expect(code).toBe(2);
    expect(stderr).toContain(
      '--seed x: a whole number from 0 to 9007199254740991 expected\n  --seed is set by IORR_SEED\n',
    );
  });

  test('a file of settings is read, never run, and nothing in the current folder is one', () => {
    writeFileSync(join(folder, 'iorr.config.json'), '{"replay": {"hardware": "no-such"}}');
    expect(iorr(['replay', 't.iorr']).code).toBe(0);
    writeFileSync(join(folder, 'code.json'), '({ replay: { seed: process.exit(42) } })');
    expect(iorr(['replay', 't.iorr', '--config', 'code.json'])).toMatchObject({ code: 2 });
    expect(iorr(['replay', 't.iorr', '--config', 'gone.json'])).toMatchObject({ code: 1 });
  });
});

describe('Ctrl-C', () => {
  /** Interrupts a run as soon as its output has grown; its exit code as a shell tells it. */
  async function interrupted(args: readonly string[], output: string): Promise<number | null> {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: environment(), stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => {
      child.on('close', (code, signal) => resolve(signal === 'SIGINT' ? 130 : code));
    });
    const path = join(folder, output);
    for (let i = 0; i < 600 && !(existsSync(path) && statSync(path).size > 4096); i++) await wait(50);
    child.kill('SIGINT');
    return ended;
  }

  test.each([
    ['simulate', ['simulate', 'packet-nic', '--set', 'events=1G', '-o', 'cut-0.iorr'], 'cut-0.iorr'],
    ['filter', ['filter', 'long.iorr', '--stream', 'map,unmap,dma', '-o', 'cut-1.iorr'], 'cut-1.iorr'],
    ['cut', ['cut', 'long.iorr', '--from', '1ms', '-o', 'cut-2.iorr'], 'cut-2.iorr'],
    ['split', ['split', 'long.iorr', '--every', '1s', '-o', 'cut'], 'cut-000.iorr'],
  ] as const)('of %s: 130, and what was written is read', async (name, args, output) => {
    if (name !== 'simulate' && !existsSync(join(folder, 'long.iorr'))) iorr(LONG);
    expect(await interrupted(args, output)).toBe(130);
    const { code, stdout } = iorr(['info', output, '--json']);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { readonly result: { readonly events: number } }).result.events).toBeGreaterThan(0);
  });

  test.each([
    ['info', ['info', 'long.iorr', '--check']],
    ['analyze', ['analyze', 'safety', 'long.iorr']],
    ['replay', ['replay', 'long.iorr', '--repeat', '100']],
    ['compare', ['compare', 'long.iorr', '--sensitivity']],
    ['plan', ['plan', 'long.iorr', '--goal', 'p99 submit < 1 ns', '--vary', 'cores=1..64']],
  ] as const)('of %s: 130 at once, and no result', async (_, args) => {
    if (!existsSync(join(folder, 'long.iorr'))) iorr(LONG);
    const child = spawn(process.execPath, [CLI, ...args, '--verbose'], { cwd: folder, env: environment() });
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    // the first line of --verbose is written when the command begins
    await new Promise((resolve) => child.stderr.once('data', resolve));
    child.kill('SIGINT');
    const code = await new Promise((resolve) => {
      child.on('close', (status, signal) => resolve(signal === 'SIGINT' ? 130 : status));
    });
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  });
});
