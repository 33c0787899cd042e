import type { Nanoseconds } from '../../../traces/units.ts';
import { EventHeap } from '../../time/event-heap.ts';

/** Kinds of events; at the same time the lower one comes first, then what was put in first. */
export const EVENT = {
  handled: 0,
  served: 1,
  free: 2,
  answered: 3,
  done: 4,
  again: 5,
  restarted: 6,
  arrival: 7,
  wish: 8,
  request: 9,
  interrupt: 10,
  timer: 11,
} as const;
const KINDS = 16;
const KIND_RANK = 2 ** 48;

/** What is to happen, and the time. */
export class FaultEvents {
  readonly #heap = new EventHeap();
  #sequence = 0;
  now = 0;
  /** Of the event that is happening. */
  kind = 0;

  at(time: Nanoseconds, kind: number, of: number): void {
    this.#heap.push(time, kind * KIND_RANK + this.#sequence++, of * KINDS + kind);
  }

  /** Goes on to the next event: whose it is; -1 where there is none. */
  next(): number {
    if (this.#heap.count === 0) return -1;
    this.now = this.#heap.time;
    const id = this.#heap.pop();
    this.kind = id % KINDS;
    return Math.floor(id / KINDS);
  }
}
