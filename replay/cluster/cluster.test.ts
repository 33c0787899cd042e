import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { IorrError } from '../../traces/errors.ts';
import { PREFIX, SWEEPS_KEY, entryKey, queueName } from './cluster-keys.ts';
import { distribute } from './distribute.ts';
import type { ClusterTask } from './distribute.ts';
import type { RedisLink } from './redis-link.ts';
import { serveSweeps } from './serve-sweeps.ts';
import type { Served } from './serve-sweeps.ts';
import type { TaskRunner } from './served-sweep.ts';
import { ownProgram } from './sweep-entry.ts';
import { TraceCache } from './trace-cache.ts';
import { TestRedis } from './testing/redis-server.ts';

let redis: TestRedis;
let folder = '';
let links: RedisLink[] = [];
let servings: Serving[] = [];

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-cluster-'));
});
afterEach(async () => {
  await Promise.allSettled(servings.map((serving) => serving.stop()));
  const keys = await redis.keys();
  for (const open of links) open.close();
  links = [];
  servings = [];
  rmSync(folder, { recursive: true });
  await redis.clear();
  if (keys.length > 0) throw new Error(`left there: ${keys.join(' ')}`);
});

async function link(patienceMs?: number): Promise<RedisLink> {
  const made = await redis.link(patienceMs);
  links.push(made);
  return made;
}

/** Not compressible, so that blocks differ. */
const TRACE = new Uint8Array(randomBytes(3_500_000));
const CONTENT = createHash('sha256').update(TRACE).digest('hex');

function tasksOf(count: number): readonly ClusterTask[] {
  return Array.from({ length: count }, (_, i) => {
    const text = `task ${i}`;
    return { id: createHash('sha256').update(text).digest('hex'), text };
  });
}

interface Counted {
  readonly results: Map<string, string>;
  readonly notes: string[];
  readonly doubles: string[];
}

/** Has tasks done, and counts what is told. */
async function sweep(
  tasks: readonly ClusterTask[],
  own: { signal?: AbortSignal; link?: RedisLink; notes?: string[] } = {},
): Promise<Counted> {
  const counted: Counted = { results: new Map(), notes: own.notes ?? [], doubles: [] };
  await distribute({
    link: own.link ?? (await link()),
    trace: memorySource(TRACE, 'run.iorr'),
    content: CONTENT,
    tasks,
    signal: own.signal ?? new AbortController().signal,
    done: (id, result) => {
      if (counted.results.has(id)) counted.doubles.push(id);
      counted.results.set(id, result);
    },
    progress: () => undefined,
    note: (text) => void counted.notes.push(text),
  });
  return counted;
}

/** Answers with the task and a hash of the trace that it reads. */
const honest = (file: string): TaskRunner => ({
  run: async (text) => {
    await pause(5);
    return `${text} on ${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
  },
  close: () => Promise.resolve(),
});

interface Serving {
  readonly served: Promise<Served>;
  readonly notes: readonly string[];
  stop(): Promise<Served>;
  leave(): Promise<Served>;
}

async function serve(
  open: (file: string) => TaskRunner = honest,
  own: { slots?: number; once?: boolean; cacheBytes?: number; cache?: string } = {},
): Promise<Serving> {
  const stop = new AbortController();
  const leave = new AbortController();
  const notes: string[] = [];
  const served = serveSweeps({
    link: await link(),
    host: 'here',
    slots: own.slots ?? 2,
    cache: new TraceCache(join(folder, own.cache ?? 'cache'), own.cacheBytes ?? 1 << 30),
    open,
    note: (text) => void notes.push(text),
    once: own.once ?? false,
    stop: stop.signal,
    leave: leave.signal,
  });
  served.catch(() => undefined);
  const serving: Serving = {
    served,
    notes,
    stop: () => {
      stop.abort();
      return served;
    },
    leave: () => {
      leave.abort();
      return served;
    },
  };
  servings.push(serving);
  return serving;
}

function expected(tasks: readonly ClusterTask[]): Map<string, string> {
  return new Map(tasks.map(({ id, text }) => [id, `${text} on ${CONTENT}`]));
}

describe('tasks over a Redis', () => {
  test('two workers do all, each once, and nothing stays there', async () => {
    const tasks = tasksOf(40);
    const workers = [await serve(), await serve(honest, { cache: 'other' })];
    const { results, doubles } = await sweep(tasks);
    expect(results).toEqual(expected(tasks));
    expect(doubles).toEqual([]);
    const served = await Promise.all(workers.map((worker) => worker.leave()));
    expect(served.map(({ sweeps }) => sweeps)).toEqual([1, 1]);
    expect(served.reduce((sum, { tasks: count }) => sum + count, 0)).toBe(40);
  });

  test('sweeps at the same time do not meet, though they share a trace and a worker', async () => {
    const tasks = tasksOf(12);
    const worker = await serve();
    const all = await Promise.all([sweep(tasks), sweep(tasks.slice(0, 7)), sweep(tasks.slice(3))]);
    expect(all.map(({ results }) => results)).toEqual([tasks, tasks.slice(0, 7), tasks.slice(3)].map(expected));
    expect((await worker.leave()).tasks).toBe(12 + 7 + 9);
  });

  test('a worker that is to serve once ends when nothing is left', async () => {
    expect(await (await serve(honest, { once: true })).served).toEqual({ tasks: 0, sweeps: 0 });
    const swept = sweep(tasksOf(5));
    await pause(400);
    expect((await (await serve(honest, { once: true })).served).sweeps).toBe(1);
    expect((await swept).results.size).toBe(5);
  });

  test('what fails everywhere alike ends the sweep with its own error; what may pass is tried again', async () => {
    const tasks = tasksOf(4);
    let failures = 0;
    const worker = await serve((file) => ({
      ...honest(file),
      run: async (text, signal, progress) => {
        if (text === 'task 2' && failures < 2) {
          failures++;
          throw new Error('a thread ended');
        }
        return honest(file).run(text, signal, progress);
      },
    }));
    expect((await sweep(tasks)).results).toEqual(expected(tasks));
    expect(failures).toBe(2);
    await worker.leave();
    const refusing = await serve(() => ({
      run: () => Promise.reject(new IorrError('USAGE', 'no such parameter', { hint: 'another' })),
      close: () => Promise.resolve(),
    }));
    await expect(sweep(tasks)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('no such parameter'),
    });
    await refusing.leave();
  });

  test('a worker that is stopped gives its task back; one that leaves finishes it', async () => {
    const tasks = tasksOf(3);
    let begun = 0;
    const slow = (): TaskRunner => ({
      run: (text, signal) =>
        new Promise((resolve, reject) => {
          begun++;
          setTimeout(() => resolve(`${text} on ${CONTENT}`), 600);
          signal.addEventListener('abort', () => reject(new Error('aborted')));
        }),
      close: () => Promise.resolve(),
    });
    const swept = sweep(tasks);
    const [first, second] = [await serve(slow, { slots: 1 }), await serve(slow, { slots: 1 })];
    await vi.waitFor(() => expect(begun).toBe(2), 10_000);
    const [stopped, left] = await Promise.all([first.stop(), second.leave()]);
    expect([stopped.tasks, left.tasks]).toEqual([0, 1]);
    const third = await serve(honest);
    const { results, doubles } = await swept;
    expect([results, doubles]).toEqual([expected(tasks), []]);
    await third.leave();
  });

  test('a sweep that is aborted ends what its workers are at, and leaves nothing', async () => {
    const abort = new AbortController();
    let aborted = 0;
    let begun = 0;
    const worker = await serve(() => ({
      run: (_text, signal) =>
        new Promise((_, reject) => {
          begun++;
          signal.addEventListener('abort', () => {
            aborted++;
            reject(new Error('aborted'));
          });
        }),
      close: () => Promise.resolve(),
    }));
    const swept = sweep(tasksOf(10), { signal: abort.signal });
    await vi.waitFor(() => expect(begun).toBe(2), 10_000);
    abort.abort();
    expect((await swept).results.size).toBe(0);
    await vi.waitFor(() => expect(aborted).toBe(2), 10_000);
    expect((await worker.leave()).tasks).toBe(0);
  });
});

describe('what others put there', () => {
  test('what is in place of the trace never reaches a task, and the trace is put there again', async () => {
    const tasks = tasksOf(3);
    const swept = sweep(tasks);
    const other = await link();
    await pause(500);
    const damages = [
      (bytes: Buffer) => Buffer.alloc(bytes.length, 7),
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(5_000_000)]),
      (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i === 3 ? byte ^ 1 : byte))),
      () => Buffer.alloc(0),
    ];
    const blocks = await other.redis.keys('iorr:trace:*:block:*');
    expect(blocks).toHaveLength(damages.length);
    for (const [i, damage] of damages.entries()) {
      const key = blocks[i] ?? '';
      await other.redis.set(key, damage((await other.redis.getBuffer(key)) ?? Buffer.alloc(0)));
    }
    const [manifest = ''] = await other.redis.keys('iorr:trace:*:manifest');
    await other.redis.set(manifest, Buffer.alloc(9_000_000, 1));
    const worker = await serve();
    expect((await swept).results).toEqual(expected(tasks));
    await worker.leave();
  });

  test('tasks and results of no known shape are refused', async () => {
    const worker = await serve();
    const strange = { name: 'task', data: { text: 17 }, opts: { jobId: 'strange', lifo: true } };
    const tasks = tasksOf(60);
    const swept = sweep(tasks);
    const other = await link();
    let id: string | undefined;
    while (id === undefined) [id] = await other.redis.zrange(SWEEPS_KEY, 0, '-1');
    const queue = new other.bullmq.Queue(queueName(id), { connection: other.redis, prefix: PREFIX });
    await queue.add(strange.name, strange.data, strange.opts);
    expect((await swept).results.size).toBe(60);
    await worker.leave();

    const lying = await serve(() => ({
      run: () => Promise.resolve(7 as unknown as string),
      close: () => Promise.resolve(),
    }));
    await expect(sweep(tasksOf(1))).rejects.toThrow(/a result of no known shape/);
    await lying.leave();
  });

  test('sweeps of no known shape are passed over; those of other programs are refused by name', async () => {
    const other = await link();
    const program = { ...ownProgram(), version: '9.9.9' };
    const entry = { program, trace: 'a'.repeat(64), bytes: 1, tasks: 1, host: 'there' };
    await other.redis.zadd(SWEEPS_KEY, Date.now(), '../../etc', Date.now(), '0123456789ab', Date.now(), 'ba9876543210');
    await other.redis.set(entryKey('ba9876543210'), 'x'.repeat(1_000_000));
    expect(await (await serve(honest, { once: true })).served).toEqual({ tasks: 0, sweeps: 0 });
    await other.redis.set(entryKey('0123456789ab'), JSON.stringify(entry));
    const refused = await serve();
    await expect(refused.served).rejects.toMatchObject({
      code: 'WORKER_REFUSED',
      message: expect.stringMatching(/the sweep is of iorr 9\.9\.9 .*, the worker is iorr \d+\.\d+\.\d+ /),
    });
    await other.redis.flushall();
  });

  test('a sweep whose trace does not fit is told why its worker does not help', async () => {
    const abort = new AbortController();
    const worker = await serve(honest, { cacheBytes: 1000 });
    const notes: string[] = [];
    const swept = sweep(tasksOf(1), { signal: abort.signal, notes });
    const why = /the worker here:\d+ can't help: the trace has 3500000 bytes/;
    await vi.waitFor(() => expect(notes.join('')).toMatch(why), 15_000);
    abort.abort();
    await swept;
    await worker.leave();
  });
});
