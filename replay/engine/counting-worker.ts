import { parentPort, workerData } from 'node:worker_threads';
import { openTrace } from '../../traces/file.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { isNotForKernel } from './counting-steps.ts';
import { CountingStretch } from './counting-stretch.ts';
import type { StretchEnd } from './counting-stretch.ts';

/** What a worker is for: a stretch of a file that does not begin before this segment. */
export interface StretchTask {
  readonly file: string;
  readonly hardware: HardwareProfile;
  readonly ahead: number;
}

/** What it is told then: which segments, [`from`, `to`), and when they may be counted what the cache held where they begin. */
export type StretchMessage = { readonly from: number; readonly to: number } | { readonly cache: Int32Array };

/**
 * What it answers: that its code is there; that it is ready for its segments; its counts, or that the trace can't be counted in
 * stretches, or not by the kernel at all.
 */
export type StretchReply =
  | { readonly loaded: true }
  | { readonly ready: true }
  | StretchEnd
  | { readonly unsuitable: true };

/** What is done to a stretch; undefined where that is not for the kernel. */
function attempt(work: () => CountingStretch): CountingStretch | undefined {
  try {
    return work();
  } catch (error) {
    if (isNotForKernel(error)) return undefined;
    throw error;
  }
}

const port = parentPort;
if (port !== null) {
  const reply = (message: StretchReply): void => port.postMessage(message);
  reply({ loaded: true });
  const { file, hardware, ahead } = workerData as StretchTask;
  const trace = openTrace(file);
  const stretch = new CountingStretch(trace, hardware);
  let counted = attempt(() => {
    stretch.goTo(ahead);
    return stretch;
  });
  reply({ ready: true });
  // counts its segments by themselves at once, then as they really were when it is told what the cache held
  port.on('message', (message: StretchMessage) => {
    if ('to' in message) {
      counted &&= attempt(() => {
        stretch.goTo(message.from);
        stretch.end = message.to;
        for (const _ of stretch.steps());
        return stretch;
      });
      return;
    }
    reply(counted?.finish(message.cache) ?? { unsuitable: true });
    trace.close();
    port.close();
  });
}
