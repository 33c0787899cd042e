import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestRedis } from '../replay/cluster/testing/redis-server.ts';

const ROOT = join(import.meta.dirname, '..');
/** Built by `npm test`. */
const CLI = join(ROOT, 'dist/cli.js');
const TRACE = join(ROOT, 'traces/corpus/vtd-vfio-7.2.iorr');
/** Each point is a replay of its own. */
const LISTS = ['--hardware', 'vtd-64x4', '--counts', 'all', '--set', 'sets=16,32,64,128,256', '--set', 'ways=1..8'];
const scratch = mkdtempSync(join(tmpdir(), 'iorr-worker-'));
const local = join(scratch, 'local.json');

let redis: TestRedis;
const running = new Set<ChildProcess>();

/** A process of the built command, with all that it prints. */
interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly text: () => string;
}

function start(args: readonly string[], cli = CLI): Started {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '1', XDG_CACHE_HOME: join(scratch, 'cache') };
  const child = spawn(process.execPath, [cli, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => (text += part.toString()));
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  return { child, ended, text: () => text };
}

const worker = (...args: readonly string[]): Started => start(['worker', '--redis', redis.url, '--jobs', '1', ...args]);
const sweep = (output: string, ...args: readonly string[]): Started =>
  start(['sweep', TRACE, ...LISTS, '-o', join(scratch, output), '--redis', redis.url, ...args]);

async function until(met: () => boolean): Promise<void> {
  for (let i = 0; !met(); i++) {
    if (i > 1000) throw new Error('waited for nothing');
    await pause(20);
  }
}

/** Results in the journal beside an output. */
function kept(output: string): number {
  try {
    return readFileSync(join(scratch, `${output}.journal`), 'utf8').split('\n').length - 2;
  } catch {
    return 0;
  }
}

beforeAll(async () => {
  redis = await TestRedis.start();
  const args = [CLI, 'sweep', TRACE, ...LISTS, '-o', local, '--jobs', '1'];
  if (spawnSync(process.execPath, args).status !== 0) throw new Error('no sweep to compare with');
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await redis.clear();
});
afterAll(async () => {
  await redis.stop();
  rmSync(scratch, { recursive: true });
});

describe('iorr sweep --redis, iorr worker', () => {
  test('workers killed and a Redis restarted meanwhile: the same bytes, each point once', async () => {
    const workers = [worker(), worker(), worker()];
    const swept = sweep('far.json');
    const victim = workers[0];
    await until(() => kept('far.json') >= 2);
    victim?.child.kill('SIGKILL');
    await redis.kill();
    await redis.begin();
    const late = worker();
    expect([await swept.ended, swept.text()]).toEqual([
      0,
      expect.stringContaining('20 points, 20 readings of the trace'),
    ]);
    expect(readFileSync(join(scratch, 'far.json'))).toEqual(readFileSync(local));
    for (const { child, text } of [...workers.slice(1), late, swept]) {
      child.kill('SIGTERM');
      expect(text()).not.toContain(redis.password);
    }
    expect(await workers[1]?.ended).toBe(0);
    expect(workers[1]?.text()).toMatch(/\d+ tasks of 1 sweeps done\n$/);
    await Promise.all([workers[2]?.ended, late.ended]);
    // of the killed one its record is left, for a minute
    expect((await redis.keys()).filter((key) => !key.includes(':worker'))).toEqual([]);
  });

  test('Ctrl-C takes the sweep away and keeps what is done; the same command goes on from there', async () => {
    const helping = worker();
    const first = sweep('cut.json');
    await until(() => kept('cut.json') >= 3);
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(130);
    expect(first.text()).toMatch(/interrupted after \d+ of 20 points: the same command goes on from there/);
    const second = sweep('cut.json');
    expect([await second.ended, second.text()]).toEqual([0, expect.stringMatching(/going on after \d+ of 20 points/)]);
    expect(readFileSync(join(scratch, 'cut.json'))).toEqual(readFileSync(local));
    helping.child.kill('SIGINT');
    expect(await helping.ended).toBe(130);
    expect(await redis.keys()).toEqual([]);
  });

  test('a worker of another version is refused, by name of both, there and here', async () => {
    const other = join(scratch, 'other');
    mkdirSync(other);
    cpSync(join(ROOT, 'dist'), join(other, 'dist'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(other, 'node_modules'));
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    writeFileSync(join(other, 'package.json'), JSON.stringify({ ...manifest, version: '99.1.2' }));
    const swept = sweep('refused.json');
    await until(() => swept.text().includes('no worker serves the sweep yet'));
    const refused = start(['worker', '--redis', redis.url], join(other, 'dist/cli.js'));
    expect(await refused.ended).toBe(1);
    const both = `the sweep is of iorr ${manifest.version} (trace format`;
    expect(refused.text()).toContain(both);
    expect(refused.text()).toContain('the worker is iorr 99.1.2 (trace format');
    await until(() => swept.text().includes("can't help"));
    expect(swept.text()).toContain(both);
    swept.child.kill('SIGINT');
    expect(await swept.ended).toBe(130);
  });

  test.each([
    [['worker'], /a Redis expected/],
    [['worker', '--redis', 'http://:geheim@h'], /begins with http:/],
    [['worker', '--redis', 'redis://h', '--jobs', '0'], /--jobs 0/],
    [['worker', '--redis', 'redis://h', '--cache-size', '5'], /--cache-size 5/],
    [['worker', '--redis', 'redis://h', '--redis-wait', '0'], /--redis-wait 0/],
    [['sweep', TRACE, ...LISTS, '--redis', 'redis://:geheim@h/x'], /database/],
    [['sweep', TRACE, '--designs', './every-nth.js,linux-lazy', '--redis', 'redis://h'], /every-nth\.js/],
  ])('%j is refused before anything is done', async (args, message) => {
    const { ended, text } = start(args);
    expect(await ended).toBe(2);
    expect(text()).toMatch(message);
    expect(text()).not.toContain('geheim');
  });

  test('a Redis that is not there is told, with what is kept', async () => {
    await redis.kill();
    const { ended, text } = sweep('nowhere.json');
    expect(await ended).toBe(1);
    expect(text()).toMatch(/^iorr: no Redis answers at redis:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/);
    await redis.begin();
  });
});
