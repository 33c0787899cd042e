import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { errorOf } from '../../traces/plain-error.ts';
import type { PlanResult, PlannedSetting } from './plan-result.ts';
import type { PlanMessage, PlanOrder } from './plan-worker.ts';

/**
 * Plans in a thread of its own: a pass over a trace hears nothing until its end, and Ctrl-C is not to wait for it. `told`: of each
 * setting that was measured. Undefined as soon as the signal aborts.
 */
export async function planInThread(
  order: PlanOrder,
  signal: AbortSignal,
  told: (setting: PlannedSetting) => void,
): Promise<PlanResult | undefined> {
  if (signal.aborted) return undefined;
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(workerFile(), { workerData: { order, port: port2 }, transferList: [port2] });
  const exited = once(worker, 'exit');
  exited.catch(() => undefined);
  let loaded = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    loaded = resolve;
  });
  let abort = (): void => undefined;
  try {
    return await new Promise((resolve, reject) => {
      abort = () => resolve(undefined);
      signal.addEventListener('abort', abort, { once: true });
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('the thread that plans ended before its answer')));
      port1.on('message', (message: PlanMessage) => {
        if ('loaded' in message) loaded();
        else if ('told' in message) told(message.told);
        else if ('result' in message) resolve(message.result);
        else reject(errorOf(message.failed));
      });
    });
  } finally {
    signal.removeEventListener('abort', abort);
    // Node 20 ends the whole process if a worker is terminated while it loads its modules
    await Promise.race([ready, exited]).catch(() => undefined);
    await worker.terminate();
    port1.close();
  }
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './plan-worker.js' : '../../dist/analyzers/plan/plan-worker.js', import.meta.url);
}
