import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';

const root = join(import.meta.dirname, '../..');
const cli = join(root, 'dist/cli.js');
const run = join(root, 'traces/corpus/vtd-vfio-7.2.iorr');
const folder = mkdtempSync(join(tmpdir(), 'iorr-surgery-'));
afterAll(() => rmSync(folder, { recursive: true }));
const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '1' };

function iorr(...args: readonly string[]): { status: number | null; stdout: Buffer; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { env, maxBuffer: 1 << 26 });
  return { status, stdout, stderr: stderr.toString() };
}

function result(stdout: Buffer): { readonly [name: string]: unknown } {
  return (JSON.parse(stdout.toString()) as { result: { [name: string]: unknown } }).result;
}

describe('commands that reshape traces', () => {
  test('help has three examples each', () => {
    for (const command of ['filter', 'cut', 'split', 'merge', 'anonymise']) {
      const { status, stdout } = iorr(command, '--help');
      expect(status).toBe(0);
      expect(stdout.toString().split(`\n  iorr ${command} `).length - 1).toBeGreaterThanOrEqual(3);
    }
  }, 30_000);

  test('what the trace lost is said', () => {
    const short = join(folder, 'short.iorr');
    writeFileSync(short, readFileSync(run).subarray(0, 20_000));
    const { status, stderr } = iorr('filter', short, '--stream', 'map', '-o', join(folder, 'maps.iorr'));
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /events kept\n {2}! The input is cut short in \d places?: what is missing is not counted\.\n/,
    );
    expect(iorr('filter', run, '--stream', 'map', '-o', join(folder, 'maps.iorr')).stderr).not.toContain('!');
  });

  test('a cut says what it carries, keeps health, and notes what was done', () => {
    const output = join(folder, 'cut.iorr');
    const { status, stdout, stderr } = iorr(
      'cut',
      run,
      '--from',
      'event:2000',
      '--to',
      'event:4000',
      '-o',
      output,
      '--json',
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('that carry the state in') });
    const { carried, kept, events } = result(stdout);
    expect(events).toBe((carried as number) + (kept as number));
    const [whole, cut] = [openTrace(run), openTrace(output)];
    expect(cut.eventCount).toBe(events);
    expect(cut.health).toEqual(whole.health);
    expect(cut.notes).toMatchObject({
      import: whole.notes['import'],
      surgery: [{ command: 'cut', fromEvent: 2000, carried }],
    });
    expect(cut.closed).toBe(true);
    cut.close();
    whole.close();
    expect(iorr('info', output).stdout.toString()).toContain(`the first ${String(carried)} events carry in the state`);
  });

  test('stdout is a trace, stdin another', () => {
    const piped = spawnSync(process.execPath, [cli, 'filter', '-', '--stream', 'map', '-o', '-'], {
      env,
      input: readFileSync(run),
      maxBuffer: 1 << 26,
    });
    const path = join(folder, 'piped.iorr');
    writeFileSync(path, piped.stdout);
    const trace = openTrace(path);
    expect(trace.streamCounts).toMatchObject({ map: 1560, unmap: 0, inv: 0 });
    trace.close();
  });

  test('what is cut short reads up to there', () => {
    const path = join(folder, 'short.iorr');
    const long = join(root, 'traces/corpus/smmuv3-strict-6.12.iorr');
    expect(iorr('cut', long, '--from', 'event:10', '-o', path).status).toBe(0);
    truncateSync(path, Math.floor(readFileSync(path).length * 0.9));
    const trace = openTrace(path);
    let events = 0;
    for (const { count } of trace.segments()) events += count;
    expect(trace.closed).toBe(false);
    expect(events).toBeGreaterThan(65_000);
    expect(trace.header.carried).toBeGreaterThan(0);
    trace.close();
  }, 30_000);

  test('a key gives the same bytes, no key others; neither is stored', () => {
    const write = (name: string, ...key: string[]): Buffer => {
      const output = join(folder, name);
      const { status, stderr } = iorr('anonymise', run, ...key, '-o', output);
      expect({ status, random: stderr.includes('the key was random and is not stored') }).toEqual({
        status: 0,
        random: key.length === 0,
      });
      return readFileSync(output);
    };
    const [a, b, c] = [write('a.iorr', '--key', 'some words'), write('b.iorr', '--key', 'some words'), write('c.iorr')];
    expect(a.equals(b)).toBe(true);
    expect(a.equals(c)).toBe(false);
  }, 30_000);

  test('split writes pieces', () => {
    const { status, stdout } = iorr('split', run, '--every', '2s', '-o', join(folder, 'part'), '--json');
    expect(status).toBe(0);
    const { by, files } = result(stdout) as { by: string; files: { file: string; events: number }[] };
    expect(by).toBe('every');
    expect(files.length).toBeGreaterThan(1);
    expect(files[0]?.file).toBe(join(folder, 'part-000.iorr'));
  });

  const out = join(folder, 'never.iorr');
  test.each([
    [['filter', run, '-o', out], 2, 'no filter was given'],
    [['filter', run, '--stream', 'maps', '-o', out], 2, 'did you mean map?'],
    [['filter', run, '--pid', 'me', '-o', out], 2, '--pid: a process id expected'],
    [['cut', run, '-o', out], 2, 'neither --from nor --to'],
    [['cut', run, '--from', 'noon', '-o', out], 2, '--from: a place expected'],
    [['cut', run, '--from', 'mark:nowhere', '-o', out], 2, 'no mark "nowhere"'],
    [['cut', run, '--from', '5m', '-o', out], 2, 'no event from'],
    [['cut', run, '--to', '1s'], 2, '-o FILE is missing'],
    [['split', run, '-o', out], 2, 'one way to split expected'],
    [['split', run, '--marks', '--devices', '-o', out], 2, 'found marks, devices'],
    [['split', run, '--size', 'big', '-o', out], 2, '--size: a size such as 64MiB'],
    [['anonymise', run, '--key', 'short', '-o', out], 2, 'at least 8 characters'],
    [['anonymise', run, '-o', run], 1, 'it is the input'],
    [['cut', run, '--to', '1s', '-o', '-', '--json'], 2, 'would both write to stdout'],
  ])('%j: exit %i, %s', (args, code, message) => {
    const { status, stderr, stdout } = iorr(...args);
    expect({ status, stdout: stdout.length }).toEqual({ status: code, stdout: 0 });
    expect(stderr).toContain(message);
  });
});
