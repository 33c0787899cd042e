import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { HardwareProfile } from '../hardware/profile.ts';
import { CountingStretch, sumOf } from './counting-stretch.ts';
import type { SegmentSource, StretchCounts } from './counting-stretch.ts';
import type { StretchReply, StretchStart, StretchTask } from './counting-worker.ts';

/** Bounds of so many stretches of about the same length; fewer where there are fewer segments. */
function boundsOf(segments: number, stretches: number): readonly (readonly [from: number, to: number])[] {
  const count = Math.max(1, Math.min(stretches, segments));
  return Array.from({ length: count }, (_, i) => [
    Math.floor((segments * i) / count),
    Math.floor((segments * (i + 1)) / count),
  ]);
}

/**
 * Counts a trace in stretches, one after the other in this thread. The counts do not depend on how many there are. Undefined where
 * a stretch depends on accesses before it: then it takes one stretch.
 */
export function countInStretches(
  source: SegmentSource,
  hardware: HardwareProfile,
  stretches: number,
): StretchCounts | undefined {
  const all: StretchCounts[] = [];
  let cache: Int32Array = new Int32Array(0);
  for (const [from, to] of boundsOf(source.segmentCount, stretches)) {
    const stretch = new CountingStretch(source, hardware, from, to);
    const done = stretch.finish(cache);
    if (done === undefined) return undefined;
    all.push(done.counts);
    ({ cache } = done);
  }
  return sumOf(all);
}

/**
 * Counts a file in stretches side by side, a worker each. Undefined where the trace or the hardware is not for that, or where it
 * was aborted.
 */
export async function countInWorkers(
  file: string,
  segments: number,
  hardware: HardwareProfile,
  workers: number,
  signal: AbortSignal,
): Promise<StretchCounts | undefined> {
  if (signal.aborted) return undefined;
  const bounds = boundsOf(segments, workers);
  const pool = new Piscina({
    filename: workerFile(),
    minThreads: bounds.length,
    maxThreads: bounds.length,
    // a worker that waits on its port must not be put to sleep
    atomics: 'disabled',
  });
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const lanes = bounds.map(([from, to]) => new Lane(pool, { file, hardware, from, to }));
  try {
    const all: StretchCounts[] = [];
    let cache: Int32Array = new Int32Array(0);
    for (const lane of lanes) {
      const reply = await Promise.race([lane.finish({ cache }), aborted]);
      if (reply === undefined || !('counts' in reply)) return undefined;
      all.push(reply.counts);
      ({ cache } = reply);
    }
    return sumOf(all);
  } finally {
    // Node 20 ends the whole process if a worker is terminated while it loads its modules
    await Promise.all(lanes.map((lane) => lane.loaded));
    await pool.destroy();
  }
}

/** One worker's port. */
class Lane {
  /** The worker's own code is there, or never will be. */
  readonly loaded: Promise<void>;
  readonly #port: MessagePort;
  readonly #reply: Promise<StretchReply>;

  constructor(pool: Piscina, task: Omit<StretchTask, 'port'>) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    let loaded: () => void = () => undefined;
    this.loaded = new Promise((resolve) => {
      loaded = resolve;
    });
    this.#reply = new Promise((resolve, reject) => {
      port1.on('message', (reply: StretchReply) => {
        loaded();
        if (!('loaded' in reply)) resolve(reply);
      });
      pool.run({ ...task, port: port2 }, { name: 'countStretch', transferList: [port2] }).catch((error: unknown) => {
        loaded();
        reject(error instanceof Error ? error : new Error(String(error)));
      });
    });
    // whoever awaits it sees the failure; until then it must not end the process
    this.#reply.catch(() => undefined);
  }

  finish(start: StretchStart): Promise<StretchReply> {
    this.#port.postMessage(start);
    return this.#reply;
  }
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): string {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './counting-worker.js' : '../../dist/replay/engine/counting-worker.js', import.meta.url).href;
}
