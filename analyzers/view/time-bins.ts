import { STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** What is counted of a stretch of time, in equal parts. */
export interface Binned {
  readonly from: Nanoseconds;
  readonly to: Nanoseconds;
  readonly bins: number;
  /** By stream number: events of each part. */
  readonly counts: readonly Uint32Array[];
}

/** Counts events by time as segments come; memory depends on the number of parts alone. */
export class TimeBins implements Binned {
  readonly from: Nanoseconds;
  readonly to: Nanoseconds;
  readonly bins: number;
  readonly counts: readonly Uint32Array[];
  readonly #perNs: number;

  constructor(from: Nanoseconds, to: Nanoseconds, bins: number) {
    this.from = from;
    this.to = to;
    this.bins = bins;
    this.#perNs = bins / Math.max(1, to - from);
    this.counts = STREAM_NAMES.map(() => new Uint32Array(bins));
  }

  /** Part of a time; -1 outside. The last part has its end. */
  binOf(time: Nanoseconds): number {
    if (!(time >= this.from && time <= this.to)) return -1;
    return Math.min(this.bins - 1, Math.floor((time - this.from) * this.#perNs));
  }

  add(segment: Segment): void {
    const { stream, time, count } = segment;
    for (let i = 0; i < count; i++) {
      const bin = this.binOf(time[i]!);
      if (bin >= 0) this.counts[stream[i]!]![bin]!++;
    }
  }
}

/** A stretch of fine parts in fewer ones: `first` to `last` of them, each result `every` together. */
export function coarser(fine: Binned, first: number, last: number, every: number): Binned {
  const bins = Math.max(1, Math.ceil((last - first) / every));
  const width = (fine.to - fine.from) / fine.bins;
  const counts = fine.counts.map(() => new Uint32Array(bins));
  for (let i = first; i < last; i++) {
    const bin = Math.floor((i - first) / every);
    fine.counts.forEach((own, stream) => {
      counts[stream]![bin]! += own[i]!;
    });
  }
  return {
    from: fine.from + first * width,
    to: fine.from + (first + bins * every) * width,
    bins,
    counts,
  };
}
