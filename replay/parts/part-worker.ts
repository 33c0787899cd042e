import { parentPort, workerData } from 'node:worker_threads';
import { IorrError } from '../../traces/errors.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { SetPart } from './set-part.ts';
import type { PartCounts, PartFinds } from './set-part.ts';

/** Which part a worker plays. */
export interface PartTask {
  readonly hardware: HardwareProfile;
  readonly index: number;
  readonly parts: number;
}

/** What it is told: a segment (its arrays are shared, not copied), or when the trace ends. */
export type PartMessage = { readonly segment: Segment; readonly shift: Nanoseconds } | { readonly end: Nanoseconds };

/** What it answers: its code is there; what it found in a segment; its counts; or why it can't go on. */
export type PartReply =
  | { readonly loaded: true }
  | { readonly finds: PartFinds }
  | { readonly counts: PartCounts }
  | { readonly refused: string };

const port = parentPort;
if (port !== null) {
  const { hardware, index, parts } = workerData as PartTask;
  const part = new SetPart(hardware, index, parts);
  const answer = (message: PartMessage): PartReply => {
    try {
      if ('segment' in message) return { finds: part.segment(message.segment, message.shift) };
      return { counts: part.finish(message.end) };
    } catch (error) {
      if (error instanceof IorrError && error.code === 'LIMIT') return { refused: error.message };
      throw error;
    }
  };
  port.on('message', (message: PartMessage) => {
    port.postMessage(answer(message));
    if ('end' in message) port.close();
  });
  port.postMessage({ loaded: true } satisfies PartReply);
}
