import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { IorrError } from '../../traces/errors.ts';
import { errorOf } from '../../traces/plain-error.ts';
import type { Segment } from '../../traces/segment.ts';
import type { DesignFactory } from '../designs/design.ts';
import { CompareGroup } from './compare-group.ts';
import type { GroupRow, GroupSpec } from './compare-group.ts';
import type { FeedMessage, FeedReply } from './compare-worker.ts';
import { reasonOf } from './design-modules.ts';

/** Segments that a worker may have in front of it: bounds the memory of shared columns. */
const WINDOW = 4;

/** Takes segments for all groups, as fast as the slowest takes them. */
export interface Feeder {
  feed(segment: Segment): Promise<void>;
  /** Rows of every group, in order; undefined if it was aborted meanwhile. */
  finish(): Promise<readonly (readonly GroupRow[])[] | undefined>;
  /** Ends everything at once. */
  stop(): Promise<void>;
}

/** All groups in this thread. */
export function inlineFeeder(specs: readonly GroupSpec[], designs: readonly DesignFactory[]): Feeder {
  const groups = specs.map((spec) => new CompareGroup(spec, designs));
  return {
    feed: async (segment) => {
      for (const group of groups) group.segment(segment);
      // lets a signal through
      await new Promise((resolve) => setImmediate(resolve));
    },
    finish: () => Promise.resolve(groups.map((group) => group.finish())),
    stop: () => Promise.resolve(),
  };
}

/** A group a worker, side by side over the same shared columns. */
export function pooledFeeder(specs: readonly GroupSpec[], signal?: AbortSignal): Feeder {
  const pool = new Piscina({
    filename: workerFile(),
    minThreads: specs.length,
    maxThreads: specs.length,
    // a worker that waits on its port must not be put to sleep
    atomics: 'disabled',
  });
  const lanes = specs.map((spec) => new Lane(pool, spec));
  // a worker may be in the middle of something long: nobody waits for it then
  let abort = (): void => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    abort = () => resolve(undefined);
  });
  signal?.addEventListener('abort', abort, { once: true });
  const end = async (): Promise<void> => {
    signal?.removeEventListener('abort', abort);
    // Node 20 ends the whole process if a worker is terminated while it loads its modules
    await Promise.all(lanes.map((lane) => lane.loaded));
    await pool.destroy();
  };
  return {
    feed: async (segment) => {
      for (const lane of lanes) lane.send({ segment });
      await Promise.race([aborted, Promise.all(lanes.map((lane) => lane.room()))]);
    },
    finish: async () => {
      for (const lane of lanes) lane.send({ end: true });
      const rows = await Promise.race([aborted, Promise.all(lanes.map((lane) => lane.rows))]);
      await end();
      return rows;
    },
    stop: end,
  };
}

/** One worker's port, with a count of what it has not acknowledged. */
class Lane {
  readonly rows: Promise<readonly GroupRow[]>;
  /** The worker's own code is there, or never will be. */
  readonly loaded: Promise<void>;
  readonly #port: MessagePort;
  #waiting = 0;
  #wake: (() => void) | undefined;
  #failed: Error | undefined;

  constructor(pool: Piscina, spec: GroupSpec) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    let resolve: (rows: readonly GroupRow[]) => void = () => undefined;
    let loaded: () => void = () => undefined;
    this.loaded = new Promise((onLoaded) => {
      loaded = onLoaded;
    });
    let reject: (error: unknown) => void = () => undefined;
    this.rows = new Promise((onRows, onError) => {
      resolve = onRows;
      reject = onError;
    });
    // whoever awaits `rows` or `room` sees the failure; until then it must not end the process
    this.rows.catch(() => undefined);
    const fail = (cause: unknown): void => {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#failed ??= error;
      this.#wake?.();
      loaded();
      reject(error);
    };
    port1.on('message', (reply: FeedReply) => {
      if ('loaded' in reply) loaded();
      else if ('done' in reply) {
        this.#waiting--;
        this.#wake?.();
      } else if ('rows' in reply) {
        port1.close();
        resolve(reply.rows);
      } else fail(errorOf(reply.failed));
    });
    const modules = spec.options.modules.map(({ file }) => file).join(', ');
    pool
      .run({ port: port2, spec }, { name: 'runGroup', transferList: [port2] })
      .catch((error: unknown) => fail(modules === '' ? error : endedBy(modules, error)));
  }

  send(message: FeedMessage): void {
    if ('segment' in message) this.#waiting++;
    this.#port.postMessage(message);
  }

  /** Waits until another segment may be sent. Rejects if the worker failed. */
  async room(): Promise<void> {
    while (this.#waiting >= WINDOW && this.#failed === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failed !== undefined) throw this.#failed;
  }
}

/**
 * A worker ends by itself only through code that is not ours: `process.exit`, a promise that nobody awaits, memory without end. What
 * our own code throws comes back as a message.
 */
function endedBy(modules: string, error: unknown): IorrError {
  return new IorrError('DESIGN_FAILED', `a design ended its worker: ${reasonOf(error)}`, {
    place: { file: modules },
    hint: 'a design does its work before its methods return: no process.exit, no promises, no timers, bounded memory',
    cause: error,
  });
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): string {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './compare-worker.js' : '../../dist/replay/engine/compare-worker.js', import.meta.url).href;
}
