import { CountingStretch } from '../../replay/engine/counting-stretch.ts';
import type { StretchEnd } from '../../replay/engine/counting-stretch.ts';
import { DmaStream } from './dma-stream.ts';
import { limitHardware } from './limit-hardware.ts';

/** Segments [`from`, `to`) of a stream of so many events. */
export interface StreamTask {
  readonly events: number;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
}

/** Counts a stretch; what it returns then counts again what the cache, as it really was at the start, makes different. */
export function countStretch({ events, seed, from, to }: StreamTask): (cache: Int32Array) => StretchEnd {
  const stretch = new CountingStretch(new DmaStream(events, seed), limitHardware);
  stretch.goTo(from);
  stretch.end = to;
  for (const _ of stretch.steps());
  return (cache) => {
    const end = stretch.finish(cache);
    if (end === undefined) throw new RangeError('a stream whose devices are attached needs no history');
    return end;
  };
}
