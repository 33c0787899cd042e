import { randomBytes } from 'node:crypto';
import { IorrError } from '../../traces/errors.ts';
import { PREFIX, SWEEPS_KEY, entryKey, isSweepId, queueName } from './cluster-keys.ts';
import { MOST_NOTE_BYTES, MOST_SWEEPS, ORPHAN_MS } from './cluster-limits.ts';
import { forgetSweep } from './distribute.ts';
import { redisNow } from './redis-now.ts';
import { ServedSweep, recordWorker } from './served-sweep.ts';
import type { Workshop } from './served-sweep.ts';
import { ownProgram, parseEntry, refusalOf } from './sweep-entry.ts';
import type { SweepEntry } from './sweep-entry.ts';

export interface Service extends Omit<Workshop, 'worker'> {
  /** Ends when nothing is left to do. */
  readonly once: boolean;
  /** Ends at once; tasks go back. */
  readonly stop: AbortSignal;
  /** Ends when the tasks under way are done. */
  readonly leave: AbortSignal;
}

/** What a worker did. */
export interface Served {
  readonly tasks: number;
  readonly sweeps: number;
}

/** How often the Redis is asked for tasks, and for sweeps. */
const POLL_MS = 150;
const LOOK_MS = 500;
/** Sweeps whose traces are open at once: bounds the memory. */
const MOST_OPEN = 2;
/** A sweep without anything to do for so long makes way for another. */
const IDLE_MS = 3000;

/**
 * Serves the sweeps of a Redis until it is told to end. Throws `WORKER_REFUSED` if at its start only sweeps of other programs are there,
 * or under `once` nothing else is left; `REDIS_FAILED`.
 */
export function serveSweeps(service: Service): Promise<Served> {
  return new ClusterWorker(service).serve();
}

class ClusterWorker {
  readonly #service: Service;
  readonly #shop: Workshop;
  readonly #program = ownProgram();
  readonly #open = new Map<string, ServedSweep>();
  /** Why sweeps are not served. */
  readonly #refused = new Map<string, string>();
  readonly #seen = new Set<string>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #first = true;
  #tasks = 0;
  #waiting = false;
  #wake: () => void = () => undefined;

  constructor(service: Service) {
    this.#service = service;
    this.#shop = { ...service, worker: randomBytes(6).toString('hex') };
  }

  async serve(): Promise<Served> {
    const { stop, leave } = this.#service;
    const ending = (): boolean => stop.aborted || leave.aborted;
    for (const signal of [stop, leave]) signal.addEventListener('abort', () => this.#wake(), { once: true });
    try {
      let over = false;
      while (!ending() && !over) over = await this.#service.link.insist(() => this.#turn());
    } finally {
      await this.#end();
    }
    return { tasks: this.#tasks, sweeps: this.#seen.size };
  }

  /** Looks what is there and takes tasks; true if nothing is left to do. */
  async #turn(): Promise<boolean> {
    if (performance.now() - this.#lookedAt > LOOK_MS) {
      await this.#look();
      this.#lookedAt = performance.now();
      if (this.#first) this.#refuse();
      this.#first = false;
    }
    if (await this.#take()) return false;
    if (this.#service.once && (await this.#isDone())) {
      this.#refuse();
      return true;
    }
    await this.#rest();
    return false;
  }

  /** Waits until a task is done, or for a while. */
  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Takes a task of each sweep in turn while there is a place. True if any was there. */
  async #take(): Promise<boolean> {
    const { slots, stop, leave } = this.#service;
    let took = false;
    for (const sweep of this.#open.values()) {
      const active = [...this.#open.values()].reduce((sum, { active: count }) => sum + count, 0);
      if (active >= slots || stop.aborted || leave.aborted) return false;
      if (await sweep.take(() => this.#wake())) took = true;
    }
    return took;
  }

  /** Which sweeps are there; opens those that may be served, ends those that are gone. */
  async #look(): Promise<void> {
    const { link } = this.#service;
    const ids = (await link.guard(link.redis.zrange(SWEEPS_KEY, 0, `${MOST_SWEEPS - 1}`))).filter(isSweepId);
    const there = new Map<string, SweepEntry>();
    for (const id of ids) {
      const entry = parseEntry(await link.guard(link.redis.getrange(entryKey(id), 0, MOST_NOTE_BYTES)));
      if (entry === undefined) await this.#forgetOrphan(id);
      else there.set(id, entry);
    }
    for (const [id, sweep] of this.#open) if (!there.has(id)) await this.#close(id, sweep, true);
    for (const id of this.#refused.keys()) if (!there.has(id)) this.#refused.delete(id);
    this.#waiting = false;
    for (const [id, entry] of there) {
      if (this.#open.has(id) || this.#refused.has(id)) continue;
      const refusal = refusalOf(this.#program, entry.program);
      if (refusal !== undefined) await this.#sayRefused(id, refusal);
      else if (this.#open.size < MOST_OPEN) this.#begin(id, entry);
      else this.#waiting = true;
    }
    for (const [id, sweep] of this.#open) {
      if (this.#waiting && sweep.idle > IDLE_MS) await this.#close(id, sweep, false);
      else await sweep.report();
    }
  }

  #begin(id: string, entry: SweepEntry): void {
    if (!this.#seen.has(id)) {
      this.#service.note(
        `serving sweep ${id} of ${entry.host}: ${entry.tasks} tasks, a trace of ${entry.bytes} bytes\n`,
      );
    }
    this.#seen.add(id);
    this.#open.set(id, new ServedSweep(this.#shop, id, entry));
  }

  async #close(id: string, sweep: ServedSweep, atOnce: boolean): Promise<void> {
    this.#open.delete(id);
    try {
      await (atOnce ? sweep.stop() : sweep.leave());
    } finally {
      this.#tasks += sweep.done;
    }
  }

  async #sayRefused(id: string, refusal: string): Promise<void> {
    const { link, host, slots, note } = this.#service;
    this.#refused.set(id, refusal);
    note(`sweep ${id} is not served: ${refusal}\n`);
    const record = { host, pid: process.pid, slots, done: 0, running: 0, trouble: refusal };
    await recordWorker(link, id, this.#shop.worker, record);
  }

  /** Throws if there are only sweeps that are not for this worker. */
  #refuse(): void {
    const [refusal] = this.#refused.values();
    if (refusal === undefined || this.#seen.size > 0) return;
    throw new IorrError('WORKER_REFUSED', refusal, { hint: 'run the same iorr on all machines' });
  }

  /** True if no sweep that is served, or could be, has tasks left. */
  async #isDone(): Promise<boolean> {
    if (this.#waiting) return false;
    for (const sweep of this.#open.values()) if (sweep.trouble === '' && (await sweep.left()) > 0) return false;
    return true;
  }

  /** A sweep that ended without a word leaves its tasks. */
  async #forgetOrphan(id: string): Promise<void> {
    const { link } = this.#service;
    const heard = Number(await link.guard(link.redis.zscore(SWEEPS_KEY, id)));
    if ((await redisNow(link)) - heard < ORPHAN_MS) return;
    const queue = new link.bullmq.Queue(queueName(id), { connection: link.redis, prefix: PREFIX });
    queue.on('error', () => undefined);
    await link.guard(queue.obliterate({ force: true }));
    await forgetSweep(link, id);
  }

  async #end(): Promise<void> {
    const { stop, leave, once } = this.#service;
    const open = [...this.#open];
    const atOnce = stop.aborted || !(leave.aborted || once);
    // Ctrl-C ends even what was to be finished
    const end = (): void => {
      for (const [, sweep] of open) sweep.stop().catch(() => undefined);
    };
    stop.addEventListener('abort', end, { once: true });
    // a Redis that is gone can't be told
    await Promise.allSettled(open.map(([id, sweep]) => this.#close(id, sweep, atOnce)));
    stop.removeEventListener('abort', end);
  }
}
