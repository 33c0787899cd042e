import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { IorrError } from '../../traces/errors.ts';
import type { RedisAddress } from './redis-address.ts';
import type * as packagesModule from './redis-packages.ts';
import { AnswerLost, isFinal, isLost, redisTrouble } from './redis-trouble.ts';

type Packages = typeof packagesModule;
/** What is used of it. */
type Bullmq = Pick<Packages, 'Queue' | 'Worker' | 'UnrecoverableError'>;

/** A first connection is not waited for any longer. */
const CONNECT_MS = 2000;
/** How often it is asked whether the Redis still answers. */
const WATCH_MS = 1000;
/** A connection that is there and does not answer for so long is made anew. */
const STUCK_MS = 5000;
const RETRY_MS = 500;

/**
 * One connection to a Redis. What is lost on the way is sent again when it is back; if it stays away, everything that waits for it fails
 * after a bounded time.
 */
export class RedisLink {
  readonly redis: Redis;
  readonly bullmq: Bullmq;
  readonly address: RedisAddress;
  readonly #state: LinkState;
  readonly #failed: Promise<never>;
  readonly #watch: NodeJS.Timeout;
  #fail: (error: IorrError) => void = () => undefined;
  /** Milliseconds without an answer, counted while this process runs: one that slept has not waited. */
  #silent = 0;
  #stuck = 0;
  #asking = false;

  constructor(redis: Redis, bullmq: Bullmq, address: RedisAddress, state: LinkState, patienceMs: number) {
    this.redis = redis;
    this.bullmq = bullmq;
    this.address = address;
    this.#state = state;
    this.#failed = new Promise((_, reject) => {
      this.#fail = (error) => {
        state.over = true;
        reject(error);
        redis.disconnect();
      };
    });
    // whoever waits sees it; until then it must not end the process
    this.#failed.catch(() => undefined);
    redis.on('error', (error: unknown) => {
      if (isFinal(error)) this.#fail(redisTrouble(error, address.shown));
    });
    redis.on('ready', () => {
      state.connections++;
    });
    this.#watch = setInterval(() => this.#look(patienceMs), WATCH_MS);
  }

  /** Times that the connection was lost and made anew. */
  get reconnections(): number {
    return this.#state.connections;
  }

  /** What comes of `work`, or why the Redis can't do it. Throws `AnswerLost` where the connection was lost meanwhile. */
  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([work, this.#failed]);
    } catch (error) {
      if (!(error instanceof IorrError) && isLost(error)) {
        // if it is over, that is what is to be said
        if (this.#state.over) await this.#failed;
        throw new AnswerLost('the connection was lost', { cause: error });
      }
      throw redisTrouble(error, this.address.shown);
    }
  }

  /** Does `work` again as long as answers are lost. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof AnswerLost)) throw error;
        await this.guard(pause(RETRY_MS));
      }
    }
  }

  /** Ends the connection at once. */
  close(): void {
    clearInterval(this.#watch);
    this.#fail(new IorrError('REDIS_FAILED', `the connection to ${this.address.shown} was closed`));
  }

  #look(patienceMs: number): void {
    if (this.#state.over) return;
    if (!this.#asking) {
      this.#asking = true;
      this.redis.ping().then(
        () => {
          this.#asking = false;
          this.#silent = 0;
          this.#stuck = 0;
        },
        () => {
          this.#asking = false;
        },
      );
    }
    this.#silent += WATCH_MS;
    if (this.#silent > patienceMs) {
      this.#fail(
        new IorrError(
          'REDIS_FAILED',
          `the Redis at ${this.address.shown} has not answered for ${Math.round(patienceMs / 1000)} s`,
          { hint: 'look whether it runs and can be reached; --redis-wait sets how long it is waited for' },
        ),
      );
      return;
    }
    this.#stuck = this.redis.status === 'ready' ? this.#stuck + WATCH_MS : 0;
    if (this.#stuck > STUCK_MS) {
      this.#stuck = 0;
      this.redis.disconnect(true);
    }
  }
}

interface LinkState {
  /** Nothing connects any more. */
  over: boolean;
  connections: number;
}

/**
 * Connects. Throws `REDIS_FAILED` if it is not there, or does not let us in; `PACKAGE_MISSING` where the client is not installed.
 * `patienceMs`: how long a Redis that was there and is gone is waited for.
 */
export async function connectRedis(address: RedisAddress, patienceMs: number): Promise<RedisLink> {
  const packages = await loadPackages();
  const { host, port, username, password, database } = address;
  const state: LinkState = { over: false, connections: 0 };
  const redis = new packages.Redis({
    host,
    port,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(address.tls ? { tls: {} } : {}),
    db: database,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: () => (state.over ? null : RETRY_MS),
  });
  let last: unknown;
  const note = (error: unknown): void => {
    last = error;
  };
  redis.on('error', note);
  const late = Symbol('late');
  let timer: NodeJS.Timeout | undefined;
  try {
    const outcome = await Promise.race([
      firstAnswer(redis),
      new Promise<typeof late>((resolve) => {
        timer = setTimeout(() => resolve(late), CONNECT_MS);
      }),
    ]);
    if (outcome === late) throw last instanceof Error ? last : new Error('no answer');
  } catch (error) {
    state.over = true;
    redis.disconnect();
    const trouble = redisTrouble(error, address.shown);
    if (isFinal(error)) throw trouble;
    throw new IorrError('REDIS_FAILED', `no Redis answers at ${address.shown}: ${messageOf(error)}`, {
      hint: 'look whether it runs, and at host and port',
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    redis.off('error', note);
  }
  return new RedisLink(redis, packages, address, state, patienceMs);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Rejects at once for what no other attempt mends. */
async function firstAnswer(redis: Redis): Promise<void> {
  let stop: (error: unknown) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => {
    stop = (error) => {
      if (isFinal(error)) reject(error instanceof Error ? error : new Error(String(error)));
    };
  });
  redis.on('error', stop);
  try {
    // a first attempt that fails is tried again by the client
    redis.connect().catch(stop);
    await Promise.race([redis.ping(), refused]);
  } finally {
    redis.off('error', stop);
    refused.catch(() => undefined);
  }
}

async function loadPackages(): Promise<Packages> {
  try {
    return await import('./redis-packages.ts');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new IorrError('PACKAGE_MISSING', 'the client of Redis is not installed (optional packages were left out)', {
      hint: 'npm install bullmq@6 ioredis@6 (with -g where iorr is installed with -g)',
      cause: error,
    });
  }
}
