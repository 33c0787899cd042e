import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { sumOf } from '../../replay/engine/counting-stretch.ts';
import type { StretchCounts, StretchEnd } from '../../replay/engine/counting-stretch.ts';
import { DmaStream } from './dma-stream.ts';
import { countStretch } from './stream-stretch.ts';

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './stream-worker.js' : '../../dist/bench/limit/stream-worker.js', import.meta.url);
}

/** Counts `dma`-shaped events that are made on the fly, in stretches side by side: the first in this thread, the others in workers. */
export async function countDmaStream(events: number, threads: number, seed = 1): Promise<StretchCounts> {
  const { segmentCount } = new DmaStream(events, seed);
  const stretches = Math.min(threads, segmentCount);
  const tasks = Array.from({ length: stretches }, (_, i) => ({
    events,
    seed,
    from: Math.floor((segmentCount * i) / stretches),
    to: Math.floor((segmentCount * (i + 1)) / stretches),
  }));
  const workers = tasks.slice(1).map((task) => new Worker(workerFile(), { workerData: task }));
  let end = countStretch(tasks[0]!)(new Int32Array(0));
  const all = [end.counts];
  for (const worker of workers) {
    worker.postMessage(end.cache);
    [end] = (await once(worker, 'message')) as [StretchEnd];
    all.push(end.counts);
  }
  return sumOf(all);
}
