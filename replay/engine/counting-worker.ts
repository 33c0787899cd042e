import { parentPort, workerData } from 'node:worker_threads';
import { openTrace } from '../../traces/file.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { isNotForKernel } from './counting-steps.ts';
import { CountingStretch } from './counting-stretch.ts';
import type { StretchEnd } from './counting-stretch.ts';

/** What a worker counts: segments [`from`, `to`) of a file. */
export interface StretchTask {
  readonly file: string;
  readonly hardware: HardwareProfile;
  readonly from: number;
  readonly to: number;
}

/** What it is told then: what the cache held where its stretch begins. */
export interface StretchStart {
  readonly cache: Int32Array;
}

/** What it answers: that its code is there; its counts, or that the trace can't be counted in stretches, or not by the kernel at all. */
export type StretchReply = { readonly loaded: true } | StretchEnd | { readonly unsuitable: true };

/** Counts a stretch by itself at once, then as it really was when it is told what the cache held. */
async function countStretch(
  { file, hardware, from, to }: StretchTask,
  told: Promise<StretchStart>,
): Promise<StretchReply> {
  const trace = openTrace(file);
  try {
    let stretch: CountingStretch | undefined;
    try {
      stretch = new CountingStretch(trace, hardware, from, to);
      for (const _ of stretch.steps());
    } catch (error) {
      if (!isNotForKernel(error)) throw error;
      stretch = undefined;
    }
    const { cache } = await told;
    return stretch?.finish(cache) ?? { unsuitable: true };
  } finally {
    trace.close();
  }
}

const port = parentPort;
if (port !== null) {
  const reply = (message: StretchReply): void => port.postMessage(message);
  reply({ loaded: true });
  const told = new Promise<StretchStart>((resolve) => {
    port.once('message', resolve);
  });
  reply(await countStretch(workerData as StretchTask, told));
}
