import { setMaxListeners } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { openTrace } from '../../traces/file.ts';
import { decodeTrace } from './decoded-trace.ts';
import type { SweepPoint, SweepResult } from './sweep-point.ts';
import type { PoolTask, SweepSource } from './sweep-worker.ts';

/** Events of a trace that is held decoded; of larger ones each worker decodes the file for each pass. */
export const MOST_DECODED = 8_000_000;

/** Threads that run points of one trace. It is read when the pool is made. */
export class PointPool {
  readonly #pool: Piscina;
  /** The threads' own code is there. */
  readonly #loaded: Promise<void>;

  /** Throws what opening a trace throws. */
  constructor(file: string, threads: number) {
    const opened = openTrace(file);
    let source: SweepSource = { file };
    try {
      if (opened.eventCount <= MOST_DECODED) source = decodeTrace(opened);
    } finally {
      opened.close();
    }
    this.#pool = new Piscina({ filename: workerFile(), minThreads: threads, maxThreads: threads, workerData: source });
    let started = 0;
    this.#loaded = new Promise((resolve) => {
      this.#pool.on('message', () => {
        started++;
        if (started === threads) resolve();
      });
    });
  }

  /**
   * Results of the points, in their order; those that share a pass take it together. `progress`: how much is done, 0 to 1. Rejects as
   * soon as the signal aborts; the thread ends its work soon after.
   */
  async run(
    points: readonly SweepPoint[],
    signal: AbortSignal,
    progress: (share: number) => void,
  ): Promise<readonly SweepResult[]> {
    signal.throwIfAborted();
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const { port1, port2 } = new MessageChannel();
    port1.on('message', progress);
    let abort = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        Atomics.store(cancel, 0, 1);
        reject(new Error('aborted'));
      };
    });
    // one for each task is no leak
    setMaxListeners(0, signal);
    signal.addEventListener('abort', abort, { once: true });
    const task: PoolTask = { points, cancel, port: port2 };
    const work = this.#pool.run(task, { name: 'runPoints', transferList: [port2] }) as Promise<readonly SweepResult[]>;
    work.catch(() => undefined);
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
      port1.close();
    }
  }

  async close(): Promise<void> {
    // Node 20 ends the whole process if a worker is terminated while it loads its modules
    await this.#loaded;
    await this.#pool.destroy();
  }
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): string {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './sweep-worker.js' : '../../dist/replay/sweep/sweep-worker.js', import.meta.url).href;
}
