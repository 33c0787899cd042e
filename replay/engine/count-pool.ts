import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { HardwareProfile } from '../hardware/profile.ts';
import { isNotForKernel } from './counting-steps.ts';
import { CountingStretch, sumOf } from './counting-stretch.ts';
import type { SegmentSource, StretchCounts, StretchEnd } from './counting-stretch.ts';
import type { StretchMessage, StretchReply, StretchTask } from './counting-worker.ts';

/** Segments that one thread counts while another one starts. */
export const SEGMENTS_OF_START = 64;
/** After so many segments other work of the thread has its turn, an interrupt among it. */
const SEGMENTS_OF_TURN = 16;

/**
 * Counts a trace in stretches, one after the other in this thread. The counts do not depend on how many there are. Undefined where
 * a stretch depends on accesses before it: then it takes one stretch.
 */
export function countInStretches(
  source: SegmentSource,
  hardware: HardwareProfile,
  stretches: number,
): StretchCounts | undefined {
  const { segmentCount } = source;
  const count = Math.max(1, Math.min(stretches, segmentCount));
  const all: StretchCounts[] = [];
  let cache: Int32Array = new Int32Array(0);
  for (let i = 0; i < count; i++) {
    const stretch = new CountingStretch(source, hardware);
    stretch.goTo(Math.floor((segmentCount * i) / count));
    stretch.end = Math.floor((segmentCount * (i + 1)) / count);
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
 * Counts a file in stretches side by side: the first in this thread, which need not start, the others in a worker each. Which segments
 * are whose is settled when all workers are ready. Undefined where the trace or the hardware is not for that, or where it was
 * aborted.
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
  const { segmentCount } = trace;
  const stretches = Math.max(1, Math.min(workers, segmentCount));
  const lanes = Array.from({ length: stretches - 1 }, (_, i) => {
    return new Lane({ file, hardware, ahead: Math.floor((segmentCount * (i + 1)) / stretches) });
  });
  let over = false;
  try {
    let done = await countHere(new CountingStretch(trace, hardware), lanes, watch);
    const all: StretchCounts[] = [];
    for (const lane of lanes) {
      if (done === undefined) return undefined;
      all.push(done.counts);
      done = await lane.finish(done.cache, signal);
    }
    if (done === undefined) return undefined;
    over = true;
    return sumOf([...all, done.counts]);
  } finally {
    if (!over) await Promise.all(lanes.map((lane) => lane.stop()));
  }
}

/** The first stretch, which leaves to each worker as much as there is for itself. Undefined where it is not for the kernel, or was aborted. */
async function countHere(
  stretch: CountingStretch,
  lanes: readonly Lane[],
  { signal, progress }: CountWatch,
): Promise<StretchEnd | undefined> {
  const segments = stretch.end;
  const stretches = lanes.length + 1;
  const share = Math.floor(segments / stretches);
  let shared = lanes.length === 0;
  try {
    for (const done of stretch.steps()) {
      const pause = done % SEGMENTS_OF_TURN === 0;
      if (pause) {
        progress?.(done / stretch.end);
        await turn();
        if (signal.aborted) return undefined;
      }
      if (shared || (done < share && !(pause && lanes.every(({ ready }) => ready)))) continue;
      shared = true;
      const each = Math.max(1, Math.floor((segments - done) / stretches));
      stretch.end = segments - each * lanes.length;
      lanes.forEach((lane, i) => lane.count(stretch.end + each * i, stretch.end + each * (i + 1)));
    }
  } catch (error) {
    if (isNotForKernel(error)) return undefined;
    throw error;
  }
  return stretch.finish(new Int32Array(0));
}

/** A worker with its stretch. It is no task of a pool: a pool hands tasks out only when this thread, which counts itself, comes to it. */
class Lane {
  /** It waits for its segments. */
  ready = false;
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
        if ('ready' in reply) this.ready = true;
        else if (!('loaded' in reply)) resolve(reply);
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

  /** Its segments are these, [`from`, `to`). */
  count(from: number, to: number): void {
    this.#tell({ from, to });
  }

  /**
   * What is counted, where the cache held this, and left in the cache; undefined where the stretch can't be counted, or it was
   * aborted.
   */
  async finish(cache: Int32Array, signal: AbortSignal): Promise<StretchEnd | undefined> {
    this.#tell({ cache });
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

  #tell(message: StretchMessage): void {
    this.#worker.postMessage(message);
  }
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './counting-worker.js' : '../../dist/replay/engine/counting-worker.js', import.meta.url);
}
