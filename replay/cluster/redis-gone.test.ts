import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { parseRedisAddress } from './redis-address.ts';
import { distribute } from './distribute.ts';
import { connectRedis } from './redis-link.ts';
import type { RedisLink } from './redis-link.ts';
import { serveSweeps } from './serve-sweeps.ts';
import { TraceCache } from './trace-cache.ts';
import { TestRedis } from './testing/redis-server.ts';

const TRACE = new Uint8Array(randomBytes(1_500_000));
const CONTENT = createHash('sha256').update(TRACE).digest('hex');

let redis: TestRedis;
let folder = '';
beforeEach(async () => {
  redis = await TestRedis.start();
  folder = mkdtempSync(join(tmpdir(), 'iorr-gone-'));
});
afterEach(async () => {
  redis.signal('SIGCONT');
  await redis.stop();
  rmSync(folder, { recursive: true });
});

/** Tasks that take a while; `each` is called with every result. */
async function sweep(link: RedisLink, count: number, each: (done: number) => void = () => undefined): Promise<number> {
  const done = new Set<string>();
  let told = 0;
  await distribute({
    link,
    trace: memorySource(TRACE, 'run.iorr'),
    content: CONTENT,
    tasks: Array.from({ length: count }, (_, i) => ({
      id: createHash('sha256').update(String(i)).digest('hex'),
      text: String(i),
    })),
    signal: new AbortController().signal,
    done: (id) => {
      done.add(id);
      told++;
      each(told);
    },
    progress: () => undefined,
    note: () => undefined,
  });
  expect(told).toBe(done.size);
  return told;
}

function serve(link: RedisLink, leave: AbortSignal): Promise<unknown> {
  return serveSweeps({
    link,
    host: 'here',
    slots: 2,
    cache: new TraceCache(folder, 1 << 30),
    open: (file) => ({
      run: async (text) => {
        await pause(30);
        return `${text} ${readFileSync(file).length}`;
      },
      close: () => Promise.resolve(),
    }),
    note: () => undefined,
    once: false,
    stop: new AbortController().signal,
    leave,
  });
}

describe('a Redis', () => {
  test('that was restarted with what it kept: the sweep goes on', async () => {
    const leave = new AbortController();
    const [asking, serving] = [await redis.link(), await redis.link()];
    const served = serve(serving, leave.signal);
    let restarted: Promise<void> | undefined;
    const count = await sweep(asking, 60, (done) => {
      if (done === 20) restarted = redis.kill().then(() => redis.begin());
    });
    await restarted;
    expect(count).toBe(60);
    leave.abort();
    await served;
    for (const link of [asking, serving]) link.close();
    expect(await redis.keys()).toEqual([]);
  });

  test('that forgot everything is told again', async () => {
    const leave = new AbortController();
    const [asking, serving, other] = [await redis.link(), await redis.link(), await redis.link()];
    const served = serve(serving, leave.signal);
    const count = await sweep(asking, 40, (done) => {
      if (done === 10) other.redis.flushall().catch(() => undefined);
    });
    expect(count).toBe(40);
    leave.abort();
    await served;
    for (const link of [asking, serving, other]) link.close();
  });

  test.each(['SIGKILL', 'SIGSTOP'] as const)('that is gone (%s) is an error after a bounded time', async (signal) => {
    const [asking, serving] = [await redis.link(2000), await redis.link(2000)];
    const served = serve(serving, new AbortController().signal);
    served.catch(() => undefined);
    const begun = performance.now();
    await expect(
      sweep(asking, 1000, (done) => {
        if (done === 3) redis.signal(signal);
      }),
    ).rejects.toMatchObject({ code: 'REDIS_FAILED', message: expect.stringMatching(/has not answered for 2 s$/) });
    await expect(served).rejects.toMatchObject({ code: 'REDIS_FAILED' });
    expect(performance.now() - begun).toBeLessThan(20_000);
    for (const link of [asking, serving]) link.close();
  });

  test('that has no room for the trace, or none for what comes next, is a clear error', async () => {
    const [asking, other] = [await redis.link(), await redis.link()];
    const used = Number(/used_memory:(\d+)/.exec(await other.redis.info('memory'))?.[1]);
    await other.redis.config('SET', 'maxmemory', String(used + 500_000));
    await expect(sweep(asking, 3)).rejects.toThrow(/has no room: \d+ bytes of the trace, \d+ left of its maxmemory$/);
    await other.redis.config('SET', 'maxmemory', '1');
    await expect(sweep(asking, 3)).rejects.toThrow(/is full \(maxmemory\)$/);
    await other.redis.config('SET', 'maxmemory', '0');
    for (const link of [asking, other]) link.close();
    expect(await redis.keys()).toEqual([]);
  });

  test('that lets nobody in, or is not there, is told at once and without the password', async () => {
    const { host, port } = redis.address;
    const begun = performance.now();
    const wrong = connectRedis(parseRedisAddress(`redis://:geheim@${host}:${port}`), 10_000);
    await expect(wrong).rejects.toMatchObject({
      code: 'REDIS_FAILED',
      message: expect.stringMatching(/does not let us in/),
    });
    await expect(wrong).rejects.not.toThrow(/geheim/);
    await expect(connectRedis(parseRedisAddress(`redis://${host}:${port}`), 10_000)).rejects.toThrow(
      /does not let us in/,
    );
    expect(performance.now() - begun).toBeLessThan(9000);
    await redis.kill();
    await expect(redis.link()).rejects.toThrow(/^no Redis answers at redis:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/);
  });
});
