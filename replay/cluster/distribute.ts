import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import { IorrError } from '../../traces/errors.ts';
import { cutIntoBlocks } from './block-manifest.ts';
import { PublishedTrace, traceChanged } from './block-store.ts';
import { PREFIX, SWEEPS_KEY, entryKey, queueName, queueRemains, workerKey, workersKey } from './cluster-keys.ts';
import {
  ATTEMPTS,
  BACK_OFF_MS,
  HEARTBEAT_MS,
  LEASE_MS,
  MOST_NOTE_BYTES,
  MOST_RESULT_BYTES,
  MOST_TASK_CHARACTERS,
  MOST_WORKERS,
} from './cluster-limits.ts';
import type { RedisLink } from './redis-link.ts';
import { ownProgram, parseWorker } from './sweep-entry.ts';
import type { SweepEntry, WorkerRecord } from './sweep-entry.ts';
import { taskFailure } from './task-failure.ts';
import { redisNow } from './redis-now.ts';

/** A piece of work that one worker does at a time. */
export interface ClusterTask {
  /** Of its content: 64 hex digits. */
  readonly id: string;
  /** Plain data. */
  readonly text: string;
}

/** How a sweep over a Redis stands. */
export interface Standing {
  /** Tasks whose results are here, and parts of those that are run. */
  readonly done: number;
  /** Workers that were heard of lately and may serve it. */
  readonly workers: number;
}

export interface Distribution {
  readonly link: RedisLink;
  readonly trace: ByteSource;
  /** SHA-256 that the tasks know the trace by. */
  readonly content: string;
  readonly tasks: readonly ClusterTask[];
  readonly signal: AbortSignal;
  /** Told each task's result, once. What it throws ends the distribution. */
  readonly done: (id: string, result: string) => void;
  readonly progress: (standing: Standing) => void;
  /** One line for people. */
  readonly note: (text: string) => void;
}

const POLL_MS = 150;
/** How often workers are looked at. */
const LOOK_MS = 500;
const TASKS_AT_A_TIME = 500;
const RESULTS_AT_A_TIME = 100;
/** Without a worker for so long, it is said how to get one. */
const LONELY_MS = 2000;
/** What is left is taken away for so long; the rest expires. */
const FAREWELL_MS = 5000;

/**
 * Has workers do tasks on a trace, whoever they are, and returns when all are done or it was aborted. Each task's result is told once,
 * though workers may have run it twice. What was put into the Redis is taken away on every way out. Throws `REDIS_FAILED`, and what a task
 * threw.
 */
export async function distribute(distribution: Distribution): Promise<void> {
  const { link, trace, tasks, signal } = distribution;
  if (tasks.length === 0) return;
  const long = tasks.find(({ text }) => text.length > MOST_TASK_CHARACTERS);
  if (long !== undefined) {
    throw new IorrError(
      'LIMIT',
      `a task of ${long.text.length} characters; at most ${MOST_TASK_CHARACTERS} go over a Redis`,
    );
  }
  const { manifest, content } = cutIntoBlocks(trace);
  if (content !== distribution.content) throw traceChanged(trace.name, 0);
  const sweep = randomBytes(6).toString('hex');
  const published = new PublishedTrace(link, manifest, trace, sweep);
  const queue = new link.bullmq.Queue(queueName(sweep), { connection: link.redis, prefix: PREFIX });
  // the link tells what is wrong
  queue.on('error', () => undefined);
  const entry: SweepEntry = {
    program: ownProgram(),
    trace: manifest.id,
    bytes: manifest.size,
    tasks: tasks.length,
    host: hostname(),
  };
  const run = new SweepRun(distribution, sweep, queue, published, entry);
  try {
    const aborted = new Promise<true>((resolve) => {
      if (signal.aborted) resolve(true);
      signal.addEventListener('abort', () => resolve(true), { once: true });
    });
    // a Redis that is gone does not keep Ctrl-C from being heard
    await Promise.race([link.insist(() => run.publish()), aborted]);
    while (!signal.aborted && !(await Promise.race([link.insist(() => run.turn()), aborted]))) {
      await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    const gone = link.insist(() => run.withdraw()).catch(() => undefined);
    await Promise.race([gone, pause(FAREWELL_MS, undefined, { ref: false })]);
  }
}

class SweepRun {
  readonly #of: Distribution;
  readonly #sweep: string;
  readonly #queue: Queue;
  readonly #trace: PublishedTrace;
  readonly #entry: string;
  /** Tasks without a result. */
  readonly #open: Map<string, ClusterTask>;
  #connection = 0;
  #heartbeatAt = 0;
  #lookedAt = 0;
  #workers: readonly WorkerRecord[] = [];
  /** Workers of which was told why they do not help. */
  readonly #told = new Set<string>();
  readonly #begun = performance.now();
  #lonely = false;

  constructor(of: Distribution, sweep: string, queue: Queue, trace: PublishedTrace, entry: SweepEntry) {
    this.#of = of;
    this.#sweep = sweep;
    this.#queue = queue;
    this.#trace = trace;
    this.#entry = JSON.stringify(entry);
    this.#open = new Map(of.tasks.map((task) => [task.id, task]));
  }

  /** The trace first, tasks next; workers see the sweep when all is there. What is there already stays. */
  async publish(): Promise<void> {
    const { link, signal } = this.#of;
    this.#connection = link.reconnections;
    await this.#live();
    await this.#trace.publish(() => undefined, signal);
    const tasks = [...this.#open.values()];
    for (let at = 0; at < tasks.length && !signal.aborted; at += TASKS_AT_A_TIME) {
      await link.guard(
        this.#queue.addBulk(
          tasks.slice(at, at + TASKS_AT_A_TIME).map(({ id, text }) => ({
            name: 'task',
            data: { text },
            opts: { jobId: id, attempts: ATTEMPTS, backoff: { type: 'exponential', delay: BACK_OFF_MS } },
          })),
        ),
      );
    }
    if (signal.aborted) return;
    await this.#live();
    await this.#beShown();
    this.#heartbeatAt = performance.now();
  }

  /** Takes what is done; true when all is. */
  async turn(): Promise<boolean> {
    const { link, progress } = this.#of;
    // a Redis that was away may have forgotten its last moments, or all
    if (link.reconnections !== this.#connection) await this.publish();
    await this.#collect();
    if (this.#open.size === 0) return true;
    await this.#failures();
    const now = performance.now();
    if (now - this.#heartbeatAt > HEARTBEAT_MS) {
      this.#heartbeatAt = now;
      if ((await link.guard(link.redis.exists(entryKey(this.#sweep)))) === 0) await this.publish();
      else {
        await this.#live();
        await this.#beShown();
        await this.#trace.publish();
      }
    }
    if (now - this.#lookedAt > LOOK_MS) {
      this.#lookedAt = now;
      await this.#look();
    }
    const running = this.#workers.reduce((sum, worker) => sum + worker.running, 0);
    const done = this.#of.tasks.length - this.#open.size;
    progress({ done: Math.min(done + running, this.#of.tasks.length), workers: this.#workers.length });
    return false;
  }

  /** Takes away all that was put there. */
  async withdraw(): Promise<void> {
    const { link } = this.#of;
    const { redis } = link;
    // workers see that it is over by this, and end what they are at
    await link.guard(redis.unlink(entryKey(this.#sweep)));
    await link.guard(this.#queue.obliterate({ force: true }));
    await link.guard(this.#trace.release());
    await forgetSweep(link, this.#sweep);
  }

  async #live(): Promise<void> {
    const { link } = this.#of;
    await link.guard(link.redis.set(entryKey(this.#sweep), this.#entry, 'PX', LEASE_MS));
  }

  async #beShown(): Promise<void> {
    const { link } = this.#of;
    await link.guard(link.redis.zadd(SWEEPS_KEY, await redisNow(link), this.#sweep));
  }

  async #collect(): Promise<void> {
    const { link, done, signal } = this.#of;
    for (;;) {
      const ids = await link.guard(this.#queue.getRanges(['completed'], 0, RESULTS_AT_A_TIME - 1, true));
      if (ids.length === 0) return;
      for (const id of ids) {
        if (signal.aborted) return;
        if (this.#open.has(id)) {
          const result = await this.#field(id, 'returnvalue', MOST_RESULT_BYTES);
          // forgotten meanwhile, by a Redis that lost what it had
          if (result === undefined) return;
          const text = parsed(result);
          if (typeof text !== 'string') {
            throw new IorrError('REDIS_FAILED', 'a result of no known shape', {
              hint: 'who else writes to this Redis? What was done before is kept in the journal of the sweep',
            });
          }
          if (signal.aborted) return;
          this.#open.delete(id);
          done(id, text);
        }
        // only now: until it is kept here, it is kept there
        await link.guard(this.#queue.remove(id));
      }
    }
  }

  async #failures(): Promise<void> {
    const { link } = this.#of;
    const ids = await link.guard(this.#queue.getRanges(['failed'], 0, 0, true));
    for (const id of ids) {
      if (!this.#open.has(id)) await link.guard(this.#queue.remove(id));
      else throw taskFailure((await this.#field(id, 'failedReason', MOST_NOTE_BYTES)) ?? '');
    }
  }

  /** A text of a task that BullMQ keeps; undefined if it is not there. Throws `LIMIT` if it is too long. */
  async #field(id: string, field: string, most: number): Promise<string | undefined> {
    const { link } = this.#of;
    const key = this.#queue.toKey(id);
    const bytes = await link.guard(link.redis.hstrlen(key, field));
    if (bytes > most)
      throw new IorrError('LIMIT', `the ${field} of a task has ${bytes} bytes; at most ${most} are taken`);
    return (await link.guard(link.redis.hget(key, field))) ?? undefined;
  }

  /** Looks who serves the sweep, and tells of those who can't. */
  async #look(): Promise<void> {
    const { link, note } = this.#of;
    const { redis } = link;
    const since = (await redisNow(link)) - LEASE_MS;
    await link.guard(redis.zremrangebyscore(workersKey(this.#sweep), '-inf', since));
    const ids = await link.guard(redis.zrange(workersKey(this.#sweep), 0, `${MOST_WORKERS - 1}`));
    const serving: WorkerRecord[] = [];
    for (const id of ids) {
      const text = await link.guard(redis.getrange(workerKey(this.#sweep, id), 0, MOST_NOTE_BYTES));
      const worker = parseWorker(text);
      if (worker === undefined) continue;
      if (worker.trouble === '') serving.push(worker);
      else if (!this.#told.has(id)) {
        this.#told.add(id);
        note(`the worker ${worker.host}:${worker.pid} can't help: ${worker.trouble}\n`);
      }
    }
    this.#workers = serving;
    if (serving.length > 0) this.#lonely = false;
    else if (!this.#lonely && performance.now() - this.#begun > LONELY_MS) {
      this.#lonely = true;
      note(`no worker serves the sweep yet; one is started by: iorr worker --redis ${link.address.shown}\n`);
    }
  }
}

/** What else is kept by a sweep's id. */
export async function forgetSweep(link: RedisLink, sweep: string): Promise<void> {
  const { redis } = link;
  const workers = await link.guard(redis.zrange(workersKey(sweep), 0, `${MOST_WORKERS - 1}`));
  const records = workers.map((worker) => workerKey(sweep, worker));
  await link.guard(redis.unlink(entryKey(sweep), workersKey(sweep), ...records, ...queueRemains(sweep)));
  await link.guard(redis.zrem(SWEEPS_KEY, sweep));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
