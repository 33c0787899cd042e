import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { HardwareProfile } from '../hardware/profile.ts';
import { isNotForKernel } from './counting-steps.ts';
import { CountingStretch, sumOf } from './counting-stretch.ts';
import type { SegmentSource, StretchCounts, StretchEnd } from './counting-stretch.ts';
import type { StretchReply, StretchStart, StretchTask } from './counting-worker.ts';

/** Segments that one thread counts while another one starts. */
export const SEGMENTS_OF_START = 64;
/** After so many segments other work of the thread has its turn, an interrupt among it. */
const SEGMENTS_OF_TURN = 16;

/** Bounds of so many stretches; fewer where there are fewer segments. The first is so much longer than the others, where there is enough. */
function boundsOf(
  segments: number,
  stretches: number,
  ahead: number,
): readonly (readonly [from: number, to: number])[] {
  const count = Math.max(1, Math.min(stretches, segments));
  const others = Math.max(1, Math.floor((segments - ahead) / count));
  const first = segments - others * (count - 1);
  return Array.from({ length: count }, (_, i) => [i === 0 ? 0 : first + others * (i - 1), first + others * i]);
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
  for (const [from, to] of boundsOf(source.segmentCount, stretches, 0)) {
    const stretch = new CountingStretch(source, hardware, from, to);
    for (const _ of stretch.steps());
    const done = stretch.finish(cache);
    if (done === undefined) return undefined;
    all.push(done.counts);
    ({ cache } = done);
  }
  return sumOf(all);
}

/** How `countInWorkers` is watched. */
export interface CountWatch {
  readonly signal: AbortSignal;
  /** Told about how much is done, 0 to 1. */
  readonly progress?: (share: number) => void;
}

/**
 * Counts a file in stretches side by side: the first in this thread, which need not start, the others in a worker each. Undefined
 * where the trace or the hardware is not for that, or where it was aborted.
 */
export async function countInWorkers(
  file: string,
  trace: SegmentSource,
  hardware: HardwareProfile,
  workers: number,
  watch: CountWatch,
): Promise<StretchCounts | undefined> {
  const { signal } = watch;
  if (signal.aborted) return undefined;
  const [[, first] = [0, 0], ...others] = boundsOf(trace.segmentCount, workers, SEGMENTS_OF_START);
  const lanes = others.map(([from, to]) => new Lane({ file, hardware, from, to }));
  let over = false;
  try {
    let done = await countHere(new CountingStretch(trace, hardware, 0, first), first, watch);
    const all: StretchCounts[] = [];
    for (let i = 0; done !== undefined; i++) {
      all.push(done.counts);
      const lane = lanes[i];
      if (lane === undefined) {
        over = true;
        return sumOf(all);
      }
      done = await lane.finish({ cache: done.cache }, signal);
    }
    return undefined;
  } finally {
    if (!over) await Promise.all(lanes.map((lane) => lane.stop()));
  }
}

/** The first stretch; undefined where it is not for the kernel, or was aborted. */
async function countHere(
  stretch: CountingStretch,
  segments: number,
  { signal, progress }: CountWatch,
): Promise<StretchEnd | undefined> {
  try {
    for (const done of stretch.steps()) {
      if (done % SEGMENTS_OF_TURN !== 0) continue;
      progress?.(done / segments);
      await turn();
      if (signal.aborted) return undefined;
    }
  } catch (error) {
    if (isNotForKernel(error)) return undefined;
    throw error;
  }
  return stretch.finish(new Int32Array(0));
}

/** A worker with its stretch. It is no task of a pool: a pool hands tasks out only when this thread, which counts itself, comes to it. */
class Lane {
  readonly #worker: Worker;
  /** The worker's own code is there, or never will be. */
  readonly #loaded: Promise<void>;
  readonly #reply: Promise<StretchReply>;

  constructor(task: StretchTask) {
    const worker = new Worker(workerFile(), { workerData: task });
    this.#worker = worker;
    let loaded: () => void = () => undefined;
    this.#loaded = new Promise((resolve) => {
      loaded = resolve;
    });
    this.#reply = new Promise((resolve, reject) => {
      worker.on('message', (reply: StretchReply) => {
        loaded();
        if (!('loaded' in reply)) resolve(reply);
      });
      worker.once('error', reject);
      worker.once('exit', (code) => {
        loaded();
        reject(new Error(`a worker that counts ended with status ${code}`));
      });
    });
    // whoever awaits it sees the failure; until then it must not end the process
    this.#reply.catch(() => undefined);
  }

  /** What is counted and left in the cache; undefined where the stretch can't be counted, or it was aborted. */
  async finish(start: StretchStart, signal: AbortSignal): Promise<StretchEnd | undefined> {
    this.#worker.postMessage(start);
    let abort: () => void = () => undefined;
    const aborted = new Promise<undefined>((resolve) => {
      abort = () => resolve(undefined);
      signal.addEventListener('abort', abort, { once: true });
    });
    try {
      const reply = await Promise.race([this.#reply, aborted]);
      return reply !== undefined && 'counts' in reply ? reply : undefined;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async stop(): Promise<void> {
    // Node 20 ends the whole process if a worker is terminated while it loads its modules
    await this.#loaded;
    await this.#worker.terminate();
  }
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './counting-worker.js' : '../../dist/replay/engine/counting-worker.js', import.meta.url);
}
