import { setTimeout as pause } from 'node:timers/promises';
import type { Job, Worker } from 'bullmq';
import { IorrError } from '../../traces/errors.ts';
import { MissingBlock, fetchBlock, fetchManifest } from './block-store.ts';
import { PREFIX, entryKey, queueName, queueRemains, workerKey, workersKey } from './cluster-keys.ts';
import { LEASE_MS, LOCK_MS, MOST_STALLS, MOST_TASK_CHARACTERS, RENEWAL_MS, STALL_CHECK_MS } from './cluster-limits.ts';
import { redisNow } from './redis-now.ts';
import type { RedisLink } from './redis-link.ts';
import type { SweepEntry, WorkerRecord } from './sweep-entry.ts';
import { AnswerLost } from './redis-trouble.ts';
import { failureText } from './task-failure.ts';
import type { TraceCache } from './trace-cache.ts';

/** Runs tasks of one trace, several at a time. */
export interface TaskRunner {
  /**
   * The result as text. `progress` is told how much is done, 0 to 1. Throws `IorrError` for what fails everywhere alike; anything else
   * is tried again. Rejects soon after `signal` aborts.
   */
  run(text: string, signal: AbortSignal, progress: (share: number) => void): Promise<string>;
  close(): Promise<void>;
}

/** What a worker is made of. */
export interface Workshop {
  readonly link: RedisLink;
  /** Name among the workers of a Redis. */
  readonly worker: string;
  readonly host: string;
  readonly slots: number;
  readonly cache: TraceCache;
  readonly open: (traceFile: string) => TaskRunner;
  /** One line for people. */
  readonly note: (text: string) => void;
}

/** Attempts to get a trace whose blocks are missing or damaged; the sweep puts them there again meanwhile. */
const FETCHES = 10;
const FETCH_AGAIN_MS = 1500;

/** A sweep that a worker serves: its trace, its claims, its tasks under way. */
export class ServedSweep {
  readonly id: string;
  readonly #shop: Workshop;
  readonly #entry: SweepEntry;
  readonly #queue: Worker;
  /** Of each task under way, how much is done. */
  readonly #shares = new Map<AbortController, number>();
  readonly #under = new Set<Promise<void>>();
  #runner: TaskRunner | undefined;
  #claims = 0;
  #done = 0;
  #trouble = '';
  #over = false;
  #busyAt = performance.now();

  constructor(shop: Workshop, id: string, entry: SweepEntry) {
    this.id = id;
    this.#shop = shop;
    this.#entry = entry;
    this.#queue = new shop.link.bullmq.Worker(queueName(id), null, {
      connection: shop.link.redis,
      prefix: PREFIX,
      autorun: false,
      name: shop.worker,
      lockDuration: LOCK_MS,
      maxStalledCount: MOST_STALLS,
      stalledInterval: STALL_CHECK_MS,
    });
    this.#queue.on('error', () => undefined);
    this.#queue.startStalledCheckTimer().catch(() => undefined);
    void this.#prepare();
  }

  get done(): number {
    return this.#done;
  }

  /** Tasks under way. */
  get active(): number {
    return this.#under.size;
  }

  /** Why it can't be served; empty: it can, or will be. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Milliseconds since there was anything to do. */
  get idle(): number {
    return this.#under.size > 0 || (this.#runner === undefined && this.#trouble === '')
      ? 0
      : performance.now() - this.#busyAt;
  }

  /** Takes one task, if there is one, and runs it in the background; `finished` is told when a place is free again. */
  async take(finished: () => void): Promise<boolean> {
    const runner = this.#runner;
    if (runner === undefined || this.#over) return false;
    const claim = `${this.#shop.worker}.${this.#claims++}`;
    const job = await this.#shop.link.guard(this.#queue.getNextJob(claim, { block: false }));
    if (job === undefined || this.#over) return false;
    const work = this.#play(runner, job, claim).finally(() => {
      this.#under.delete(work);
      this.#busyAt = performance.now();
      finished();
    });
    this.#under.add(work);
    return true;
  }

  /** Tasks that nobody has done, whoever is at them. */
  async left(): Promise<number> {
    const { redis } = this.#shop.link;
    const key = (part: string): string => this.#queue.toKey(part);
    const counts = await this.#shop.link.guard(
      Promise.all([redis.llen(key('wait')), redis.llen(key('active')), redis.zcard(key('delayed'))]),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Says that this worker is there, and how far it is. */
  async report(): Promise<void> {
    const { link, worker } = this.#shop;
    await recordWorker(link, this.id, worker, {
      host: this.#shop.host,
      pid: process.pid,
      slots: this.#shop.slots,
      done: this.#done,
      running: [...this.#shares.values()].reduce((sum, share) => sum + share, 0),
      trouble: this.#trouble,
    });
  }

  /** Ends what is under way; others take it where the sweep goes on. */
  async stop(): Promise<void> {
    this.#over = true;
    for (const task of this.#shares.keys()) task.abort();
    await this.leave();
  }

  /** Takes nothing more, and waits for what is under way. */
  async leave(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#under);
    await this.#shop.link.guard(this.#queue.close(true)).catch(() => undefined);
    await this.#runner?.close();
    this.#runner = undefined;
    const { link, worker } = this.#shop;
    await link.guard(link.redis.zrem(workersKey(this.id), worker));
    await link.guard(link.redis.unlink(workerKey(this.id, worker)));
    // the sweep is over: what the last words to its queue brought back goes, too
    if ((await link.guard(link.redis.exists(entryKey(this.id)))) === 0) {
      await link.guard(link.redis.unlink(...queueRemains(this.id)));
    }
  }

  /** Gets the trace, and what runs tasks on it. */
  async #prepare(): Promise<void> {
    const { link, cache, open, note } = this.#shop;
    for (let attempt = 1; !this.#over; attempt++) {
      try {
        const manifest = await fetchManifest(link, this.#entry.trace);
        const file = await cache.path(manifest, (index) => fetchBlock(link, manifest, index));
        if (!this.#over) this.#runner = open(file);
        this.#busyAt = performance.now();
        return;
      } catch (error) {
        if (error instanceof AnswerLost || (error instanceof MissingBlock && attempt < FETCHES)) {
          await pause(FETCH_AGAIN_MS);
          continue;
        }
        this.#trouble = (error instanceof Error ? error.message : String(error)).slice(0, 900);
        note(`sweep ${this.id} can't be served: ${this.#trouble}\n`);
        return;
      }
    }
  }

  async #play(runner: TaskRunner, job: Job, claim: string): Promise<void> {
    const { link } = this.#shop;
    const stop = new AbortController();
    this.#shares.set(stop, 0);
    let renewing = false;
    const renewal = setInterval(() => {
      if (renewing) return;
      renewing = true;
      link
        .guard(job.extendLock(claim, LOCK_MS))
        // a claim that is over: another has the task by now, or the sweep is gone
        .then((kept) => (kept === 1 ? undefined : stop.abort()))
        .catch(() => undefined)
        .finally(() => {
          renewing = false;
        });
    }, RENEWAL_MS);
    try {
      const result = await this.#run(runner, job, stop).catch(async (error: unknown) => {
        // not ours any more, or to be given back: others take it up when the claim is over
        if (stop.signal.aborted) await link.guard(job.moveToWait(claim)).catch(() => undefined);
        else await this.#fail(job, claim, error);
      });
      if (result === undefined || stop.signal.aborted) return;
      await link.insist(() => link.guard(job.moveToCompleted(result, claim, false)));
      this.#done++;
    } catch {
      // it was told twice, or another has the task by now: whoever asks gets its result from there
    } finally {
      clearInterval(renewal);
      this.#shares.delete(stop);
    }
  }

  async #run(runner: TaskRunner, job: Job, stop: AbortController): Promise<string> {
    return runner.run(textOf(job), stop.signal, (share) => this.#shares.set(stop, share));
  }

  async #fail(job: Job, claim: string, error: unknown): Promise<void> {
    const text = failureText(error, `${this.#shop.host}:${process.pid}`);
    const { link } = this.#shop;
    const { UnrecoverableError } = link.bullmq;
    const file = error instanceof IorrError && error.code.startsWith('FILE_');
    const final = error instanceof IorrError && !file;
    const reason = final ? new UnrecoverableError(text) : new Error(text);
    await link.guard(job.moveToFailed(reason, claim, false)).catch(() => undefined);
    if (!file || this.#over) return;
    // the trace's file went: it is fetched again
    const runner = this.#runner;
    this.#runner = undefined;
    await runner?.close();
    void this.#prepare();
  }
}

/** Checks what a task holds before anything looks into it. */
function textOf(job: Job): string {
  const data: unknown = job.data;
  const text = typeof data === 'object' && data !== null ? (data as { text?: unknown }).text : undefined;
  if (typeof text === 'string' && text.length <= MOST_TASK_CHARACTERS) return text;
  throw new IorrError('REDIS_FAILED', 'a task of no known shape', { hint: 'who else writes to this Redis?' });
}

/** Keeps what a worker says of itself until it is not heard of any more. */
export async function recordWorker(
  link: RedisLink,
  sweep: string,
  worker: string,
  record: WorkerRecord,
): Promise<void> {
  const now = await redisNow(link);
  await link.guard(link.redis.set(workerKey(sweep, worker), JSON.stringify(record), 'PX', LEASE_MS));
  await link.guard(link.redis.zadd(workersKey(sweep), now, worker));
  await link.guard(link.redis.pexpire(workersKey(sweep), LEASE_MS));
}
