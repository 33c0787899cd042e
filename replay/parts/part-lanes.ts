import { Worker } from 'node:worker_threads';
import { IorrError } from '../../traces/errors.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { joinFinds } from './merge-parts.ts';
import type { PartMessage, PartReply, PartTask } from './part-worker.ts';
import { SetPart } from './set-part.ts';
import type { PartCounts, PartFinds } from './set-part.ts';

/** All parts of a replay. Segments are given in order, several of them before the first is answered. */
export interface PartLanes {
  /** What all parts find in a segment together. */
  play(segment: Segment, shift: Nanoseconds): Promise<PartFinds>;
  /** Call once, last. */
  finish(end: Nanoseconds): Promise<readonly PartCounts[]>;
  stop(): Promise<void>;
}

/** All parts in this thread. */
export function inlineLanes(hardware: HardwareProfile, parts: number): PartLanes {
  const all = Array.from({ length: parts }, (_, index) => new SetPart(hardware, index, parts));
  return {
    play: (segment, shift) => Promise.resolve(joinFinds(all.map((part) => part.segment(segment, shift)))),
    finish: (end) => Promise.resolve(all.map((part) => part.finish(end))),
    stop: () => Promise.resolve(),
  };
}

/** A worker for each part, over the same shared columns. */
export function workerLanes(hardware: HardwareProfile, parts: number): PartLanes {
  const lanes = Array.from({ length: parts }, (_, index) => new Lane({ hardware, index, parts }));
  return {
    play: async (segment, shift) => joinFinds(await Promise.all(lanes.map((lane) => lane.play(segment, shift)))),
    finish: (end) => Promise.all(lanes.map((lane) => lane.finish(end))),
    stop: async () => {
      await Promise.all(lanes.map((lane) => lane.stop()));
    },
  };
}

/** Who waits for an answer. */
interface Waiting {
  readonly resolve: (reply: PartReply) => void;
  readonly reject: (error: Error) => void;
}

class Lane {
  readonly #worker: Worker;
  /** The worker's own code is there, or never will be. */
  readonly #loaded: Promise<void>;
  readonly #waiting: Waiting[] = [];
  #failed: Error | undefined;

  constructor(task: PartTask) {
    const worker = new Worker(workerFile(), { workerData: task });
    this.#worker = worker;
    let loaded: () => void = () => undefined;
    this.#loaded = new Promise((resolve) => {
      loaded = resolve;
    });
    const fail = (error: Error): void => {
      loaded();
      this.#failed ??= error;
      for (const { reject } of this.#waiting.splice(0)) reject(this.#failed);
    };
    worker.on('message', (reply: PartReply) => {
      loaded();
      if ('refused' in reply) fail(new IorrError('LIMIT', reply.refused, { hint: 'one thread plays it' }));
      else if (!('loaded' in reply)) this.#waiting.shift()?.resolve(reply);
    });
    worker.once('error', fail);
    worker.once('exit', (code) => fail(new Error(`a worker that replays ended with status ${code}`)));
  }

  async play(segment: Segment, shift: Nanoseconds): Promise<PartFinds> {
    const reply = await this.#ask({ segment, shift });
    if ('finds' in reply) return reply.finds;
    throw new RangeError('finds expected');
  }

  async finish(end: Nanoseconds): Promise<PartCounts> {
    const reply = await this.#ask({ end });
    if ('counts' in reply) return reply.counts;
    throw new RangeError('counts expected');
  }

  async stop(): Promise<void> {
    // Node 20 ends the whole process if a worker is terminated while it loads its modules
    await this.#loaded;
    await this.#worker.terminate();
  }

  #ask(message: PartMessage): Promise<PartReply> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const reply = new Promise<PartReply>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    // whoever awaits it sees a failure; until then it must not end the process
    reply.catch(() => undefined);
    this.#worker.postMessage(message);
    return reply;
  }
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './part-worker.js' : '../../dist/replay/parts/part-worker.js', import.meta.url);
}
