import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { TestRedis } from '../../replay/cluster/testing/redis-server.ts';

const full = process.env['IORR_FULL'] === '1';
const ROOT = join(import.meta.dirname, '../..');
/** Built by `npm test`. */
const CLI = join(ROOT, 'dist/cli.js');
const TRACE = join(ROOT, 'traces/corpus/vtd-strict-6.12.iorr');
const WORKERS = 3;
const KILL_EVERY_MS = 5000;
const MOST = 1.3;
/** 200 points, each a replay of its own: ten numbers of sets, twenty associativities. */
const WAYS = Array.from({ length: 20 }, (_, i) => i + 1).join();
const LISTS = ['--hardware', 'vtd-64x4', '--counts', 'all', '--set', 'sets=1..512', '--set', `ways=${WAYS}`];
const scratch = mkdtempSync(join(tmpdir(), 'iorr-killed-'));

afterAll(() => rmSync(scratch, { recursive: true }));

/** One sweep by three workers; `kill`: one of them in turn is killed and started again. Seconds, and how many were killed. */
async function measure(redis: TestRedis, output: string, kill: boolean): Promise<{ seconds: number; kills: number }> {
  const start = (args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const worker = (i: number): ChildProcess =>
    start(['worker', '--redis', redis.url, '--jobs', '1', '--cache', join(scratch, `cache-${i}`)]);
  const workers = Array.from({ length: WORKERS }, (_, i) => worker(i));
  await pause(3000);
  const begun = performance.now();
  const sweep = start(['sweep', TRACE, ...LISTS, '-o', output, '--redis', redis.url]);
  let kills = 0;
  const timer = setInterval(() => {
    if (!kill) return;
    const i = kills++ % WORKERS;
    workers[i]?.kill('SIGKILL');
    workers[i] = worker(i);
  }, KILL_EVERY_MS);
  let told = '';
  sweep.stderr?.on('data', (part: Buffer) => (told += part.toString()));
  const status = await new Promise((resolve) => {
    sweep.once('close', resolve);
  });
  const seconds = (performance.now() - begun) / 1000;
  clearInterval(timer);
  for (const child of workers) child.kill('SIGKILL');
  expect([status, told]).toEqual([0, expect.stringContaining('200 points')]);
  return { seconds, kills };
}

describe('a sweep of 200 points by three workers', () => {
  test.skipIf(!full)('of which one is killed every 5 s: the same bytes, in 1.3 times the time at most', async () => {
    const local = join(scratch, 'local.json');
    expect(spawnSync(process.execPath, [CLI, 'sweep', TRACE, ...LISTS, '-o', local]).status).toBe(0);
    const redis = await TestRedis.start();
    const seconds = { undisturbed: 0, killed: 0 };
    let kills = 0;
    try {
      for (const kill of [false, true, true, false]) {
        const output = join(scratch, `far-${kill}.json`);
        const measured = await measure(redis, output, kill);
        seconds[kill ? 'killed' : 'undisturbed'] += measured.seconds / 2;
        kills += measured.kills;
        expect(readFileSync(output)).toEqual(readFileSync(local));
        await redis.clear();
      }
    } finally {
      await redis.stop();
    }
    const points = JSON.parse(readFileSync(local, 'utf8')) as { result: { points: readonly unknown[] } };
    expect(points.result.points).toHaveLength(200);
    expect(kills).toBeGreaterThan(4);
    const ratio = seconds.killed / seconds.undisturbed;
    process.stdout.write(
      `200 points, 3 workers: ${seconds.undisturbed.toFixed(1)} s; one killed every 5 s (${kills / 2} a run): ` +
        `${seconds.killed.toFixed(1)} s, ${ratio.toFixed(2)} times (at most ${MOST}); the same bytes\n`,
    );
    expect(ratio).toBeLessThanOrEqual(MOST);
  });
});
