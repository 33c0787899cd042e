import { parentPort, workerData } from 'node:worker_threads';
import { countStretch } from './stream-stretch.ts';
import type { StreamTask } from './stream-stretch.ts';

const port = parentPort;
if (port !== null) {
  const told = new Promise<Int32Array>((resolve) => {
    port.once('message', resolve);
  });
  const finish = countStretch(workerData as StreamTask);
  port.postMessage(finish(await told));
}
