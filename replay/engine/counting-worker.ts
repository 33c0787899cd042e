import type { MessagePort } from 'node:worker_threads';
import { openTrace } from '../../traces/file.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { isNotForKernel } from './count-replay.ts';
import { CountingStretch } from './counting-stretch.ts';
import type { StretchCounts } from './counting-stretch.ts';

/** What a worker counts: segments [`from`, `to`) of a file. */
export interface StretchTask {
  readonly port: MessagePort;
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
export type StretchReply =
  | { readonly loaded: true }
  | { readonly counts: StretchCounts; readonly cache: Int32Array }
  | { readonly unsuitable: true };

/** Counts a stretch in a piscina worker: by itself at once, then as it really was when it is told what the cache held. */
export async function countStretch({ port, file, hardware, from, to }: StretchTask): Promise<void> {
  const reply = (message: StretchReply): void => port.postMessage(message);
  reply({ loaded: true });
  const trace = openTrace(file);
  try {
    let stretch: CountingStretch | undefined;
    try {
      stretch = new CountingStretch(trace, hardware, from, to);
    } catch (error) {
      if (!isNotForKernel(error)) throw error;
    }
    const start = await new Promise<StretchStart | undefined>((resolve) => {
      port.once('message', resolve);
      port.once('close', () => resolve(undefined));
    });
    if (start === undefined) return;
    reply(stretch?.finish(start.cache) ?? { unsuitable: true });
  } finally {
    trace.close();
    port.close();
  }
}
