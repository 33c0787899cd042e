/** A stream of one CPU, in its own order. */
export interface CpuStream {
  /** It stands on an event. */
  readonly live: boolean;
  /** Time of that event. */
  readonly time: number;
  /** Nothing more can come that is earlier than the merge's limit, although it stands on no event. */
  readonly drained: boolean;
  /** Goes to the next event; `live` and `time` change. */
  advance(): void;
}

/**
 * Brings the events of all CPUs into one order of time. Clocks of CPUs may differ, and a CPU's own may go back: an event that
 * comes after a later one was given out gets that one's time, and is counted.
 */
export class CpuMerge<S extends CpuStream> {
  readonly #streams: readonly S[];
  readonly #emit: (stream: S, time: number) => void;
  /** Live streams as a binary heap by time. */
  readonly #heap: S[] = [];
  #last = Number.NEGATIVE_INFINITY;
  /** Events whose time lay before one that was given out already, and by how much at most. */
  backwards = 0;
  farthestBack = 0;

  constructor(streams: readonly S[], emit: (stream: S, time: number) => void) {
    this.#streams = streams;
    this.#emit = emit;
  }

  /**
   * Gives out at most `most` events up to and with time `limit`, as far as order is certain: it ends where a stream that is not
   * drained has nothing. Returns how many.
   */
  run(limit: number, most: number): number {
    let left = most;
    const heap = this.#heap;
    heap.length = 0;
    for (const stream of this.#streams) {
      if (stream.live) heap.push(stream);
      else if (!stream.drained) return 0;
    }
    for (let at = (heap.length >> 1) - 1; at >= 0; at--) this.#sink(at);
    while (heap.length > 0) {
      const top = heap[0]!;
      const until = Math.min(limit, this.#second());
      // A CPU's events come in runs; only the end of a run costs a comparison of streams.
      while (top.live && top.time <= until && left > 0) {
        this.#give(top);
        left--;
        top.advance();
      }
      if (left === 0) return most;
      if (top.live) {
        if (top.time > limit && until === limit) break;
        this.#sink(0);
        continue;
      }
      if (!top.drained) break;
      const last = heap.pop()!;
      if (heap.length === 0) break;
      heap[0] = last;
      this.#sink(0);
    }
    return most - left;
  }

  #give(stream: S): void {
    let { time } = stream;
    if (time < this.#last) {
      this.backwards++;
      this.farthestBack = Math.max(this.farthestBack, this.#last - time);
      time = this.#last;
    } else this.#last = time;
    this.#emit(stream, time);
  }

  #second(): number {
    const heap = this.#heap;
    const left = heap.length > 1 ? heap[1]!.time : Number.POSITIVE_INFINITY;
    const right = heap.length > 2 ? heap[2]!.time : Number.POSITIVE_INFINITY;
    return Math.min(left, right);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const moved = heap[from]!;
    let at = from;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.time < heap[child]!.time) child++;
      if (heap[child]!.time >= moved.time) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  }
}
