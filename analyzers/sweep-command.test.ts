import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { splitParameters, sweptParameters } from './sweep/sweep-values.ts';

const ROOT = join(import.meta.dirname, '..');
/** Built by `npm test`. */
const CLI = join(ROOT, 'dist/cli.js');
const TRACE = join(ROOT, 'traces/corpus/vtd-vfio-7.2.iorr');
const LARGE = join(ROOT, 'traces/corpus/smmuv3-strict-6.12.iorr');
const scratch = mkdtempSync(join(tmpdir(), 'iorr-sweep-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const ENV = { ...process.env, LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '1' };
/** Three replacements of four sizes: eight replays and a pass. */
const LISTS = ['--hardware', 'vtd-64x4', '--set', 'iotlb.replacement=0,1,2', '--set', 'ways=1..8'];

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, 'sweep', ...args], { encoding: 'utf8', env: ENV, maxBuffer: 1 << 28 });
}

describe('values', () => {
  test('lists, ranges that double, texts; a list of one is a setting', () => {
    const parameters = sweptParameters(['ways=1..12', 'sets=16,64', 'sets=64,128', 'walk-cache.l1=4']);
    expect(parameters).toEqual([
      { name: 'ways', values: [1, 2, 4, 8, 12] },
      { name: 'sets', values: [16, 64, 128] },
      { name: 'walk-cache.l1', values: [4] },
    ]);
    expect(splitParameters(parameters)).toEqual({ swept: parameters.slice(0, 2), settings: ['walk-cache.l1=4'] });
  });

  test.each([
    ['ways', /one name and its values/],
    ['=4', /one name and its values/],
    ['sets=4,ways=2', /one name and its values/],
    ['ways=1,,2', /a value is missing/],
    ['ways=8..1', /goes up/],
    ['ways=0..8', /goes up/],
  ])('%s is refused', (setting, message) => {
    expect(() => sweptParameters([setting])).toThrow(message);
  });

  test('nothing that varies, and too much, are refused', () => {
    expect(() => splitParameters(sweptParameters(['ways=4']))).toThrow(/nothing varies/);
    const many = ['a', 'b', 'c', 'd'].map((name) => ({ name, values: Array.from({ length: 32 }, (_, i) => i) }));
    expect(() => splitParameters(many)).toThrow(/1048576 points/);
  });
});

describe('iorr sweep', () => {
  const whole = join(scratch, 'whole.json');
  const { status, stdout, stderr } = run(
    TRACE,
    ...LISTS,
    '--jobs',
    '1',
    '-o',
    whole,
    '--html',
    join(scratch, 'w.html'),
  );

  test('prints the points, writes all of them, and leaves no journal', () => {
    expect(status).toBe(0);
    expect(stdout).toMatch(/^sweep {2}.*vtd-vfio-7\.2\.iorr {2}on vtd-64x4: 12 points\n/);
    expect(stderr).toContain('12 points, 9 readings of the trace; 4 points shared one\n');
    expect(existsSync(`${whole}.journal`)).toBe(false);
    const { command, result } = JSON.parse(readFileSync(whole, 'utf8')) as {
      command: string;
      result: { points: { values: object; metrics: { misses: number } }[]; parameters: object[] };
    };
    expect(command).toBe('sweep');
    expect(result.points).toHaveLength(12);
    expect(result.points[0]?.values).toEqual({ 'iotlb.replacement': 0, ways: 1 });
    const page = readFileSync(join(scratch, 'w.html'), 'utf8');
    expect(page).toContain('<h1>12 points</h1>');
    expect(page).toContain('class="sortable"');
  });

  test('two jobs give the same bytes as one', () => {
    const other = join(scratch, 'two.json');
    expect(run(TRACE, ...LISTS, '--jobs', '2', '-o', other).status).toBe(0);
    expect(readFileSync(other, 'utf8')).toBe(readFileSync(whole, 'utf8'));
  });

  test('goes on from a journal, and ends with the same bytes', () => {
    const output = join(scratch, 'again.json');
    const journal = `${output}.journal`;
    const first = spawnSync(process.execPath, ['-e', KEEPS_JOURNAL, CLI, TRACE, ...LISTS, '-o', output], { env: ENV });
    expect(first.status).toBe(7);
    const text = readFileSync(journal, 'utf8');
    const lines = text.split('\n');
    expect(lines.length).toBeGreaterThan(3);
    expect(existsSync(output)).toBe(false);
    // the last line was cut by whatever ended the run
    writeFileSync(journal, `${lines.slice(0, 4).join('\n')}\n${lines[4]?.slice(0, 20) ?? ''}`);
    const second = run(TRACE, ...LISTS, '--jobs', '1', '-o', output);
    expect(second.stderr).toContain('going on after 3 of 12 points\n');
    expect(readFileSync(output, 'utf8')).toBe(readFileSync(whole, 'utf8'));
    expect(existsSync(journal)).toBe(false);
  });

  test("another sweep's journal, and what is none, are begun anew", () => {
    const output = join(scratch, 'other.json');
    writeFileSync(`${output}.journal`, '{"sweep":"another"}\n{"id":"x","metrics":{},"caveats":[]}\n');
    const { status: code, stderr: told } = run(TRACE, ...LISTS, '--jobs', '1', '-o', output);
    expect(code).toBe(0);
    expect(told).not.toContain('going on');
    expect(readFileSync(output, 'utf8')).toBe(readFileSync(whole, 'utf8'));
  });

  test('writes Parquet', () => {
    const output = join(scratch, 'points.parquet');
    expect(run(TRACE, '--designs', 'linux-strict,linux-lazy', '--jobs', '1', '-o', output).status).toBe(0);
    const bytes = readFileSync(output);
    expect(bytes.subarray(0, 4).toString()).toBe('PAR1');
    expect(bytes.subarray(-4).toString()).toBe('PAR1');
  });

  test.each([
    [['--set', 'wayz=1,2'], 2, /did you mean 'ways'/],
    [[], 2, /nothing varies/],
    [['--set', 'ways=1,2', '--cores', '1,2'], 2, /--designs/],
    [['--set', 'ways=1,2', '-o', '/nonexistent/x.json'], 1, /nonexistent/],
  ] as const)('%j is refused', (args, code, message) => {
    const { status: found, stderr: told } = run(TRACE, '--hardware', 'vtd-64x4', ...args);
    expect(found).toBe(code);
    expect(told).toMatch(message);
  });
});

/** Runs the command until its journal has half of the points, then ends the process at once. */
const KEEPS_JOURNAL = `
const [cli, ...args] = process.argv.slice(1);
const fs = require('node:fs');
const write = fs.writeSync;
let results = 0;
fs.writeSync = (descriptor, data, ...rest) => {
  const done = write(descriptor, data, ...rest);
  if (typeof data === 'string' && data.startsWith('{"id"')) results += data.split('\\n').length - 1;
  if (results >= 6) process.exit(7);
  return done;
};
require('node:module').syncBuiltinESMExports();
process.argv = [process.execPath, cli, 'sweep', ...args, '--jobs', '1'];
import(cli);
`;

describe('killed', () => {
  const full = process.env['IORR_FULL'] === '1';
  test.skipIf(!full)('again and again, it ends with the same bytes', { timeout: 300_000 }, async () => {
    const lists = ['--hardware', 'arm-smmuv3-generic', '--counts', 'all', '--set', 'sets=1..64', '--set', 'ways=1..8'];
    const whole = join(scratch, 'large.json');
    expect(run(LARGE, ...lists, '--jobs', '2', '-o', whole).status).toBe(0);
    const output = join(scratch, 'killed.json');
    let kills = 0;
    for (let size = 0; !existsSync(output); ) {
      const child = spawn(process.execPath, [CLI, 'sweep', LARGE, ...lists, '--jobs', '2', '-o', output], { env: ENV });
      const ended = new Promise((resolve) => {
        child.on('exit', resolve);
      });
      const grown = async (): Promise<void> => {
        for (;;) {
          await wait(100);
          const now = existsSync(`${output}.journal`) ? statSync(`${output}.journal`).size : 0;
          if (now > size + 2000) {
            size = now;
            return;
          }
        }
      };
      await Promise.race([ended, grown()]);
      if (child.exitCode === null) {
        child.kill('SIGKILL');
        kills++;
        await ended;
      }
    }
    expect(kills).toBeGreaterThan(1);
    expect(readFileSync(output, 'utf8')).toBe(readFileSync(whole, 'utf8'));
  });
});
