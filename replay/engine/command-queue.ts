import type { Nanoseconds } from '../../traces/units.ts';

/**
 * Commands of one unit that the hardware has not finished, in order, each with the time at which it takes effect. A ring that
 * grows; words as int32 halves.
 */
export class CommandQueue {
  /** When the unit is done with all that was given to it. */
  freeAt: Nanoseconds = 0;
  /** Commands ever put in, and ever taken out. */
  pushed = 0;
  popped = 0;
  #times = new Float64Array(64);
  #words = new Int32Array(4 * 64);
  #head = 0;
  #count = 0;

  /** When the oldest command takes effect; infinity if there is none. */
  get next(): Nanoseconds {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#times[this.#head]!; // head is in range
  }

  push(time: Nanoseconds, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
    if (this.#count === this.#times.length) this.#grow();
    const at = (this.#head + this.#count) % this.#times.length;
    this.#times[at] = time;
    this.#words[4 * at] = w0Lo;
    this.#words[4 * at + 1] = w0Hi;
    this.#words[4 * at + 2] = w1Lo;
    this.#words[4 * at + 3] = w1Hi;
    this.#count++;
    this.pushed++;
  }

  /** Hands the oldest command over and drops it. */
  pop(take: (time: Nanoseconds, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number) => void): void {
    const at = this.#head;
    const words = this.#words;
    this.#head = (at + 1) % this.#times.length;
    this.#count--;
    this.popped++;
    take(this.#times[at]!, words[4 * at]!, words[4 * at + 1]!, words[4 * at + 2]!, words[4 * at + 3]!); // in range
  }

  #grow(): void {
    const size = this.#times.length;
    const times = new Float64Array(size * 2);
    const words = new Int32Array(size * 8);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#head + i) % size;
      times[i] = this.#times[from]!; // both are in range
      for (let w = 0; w < 4; w++) words[4 * i + w] = this.#words[4 * from + w]!;
    }
    this.#times = times;
    this.#words = words;
    this.#head = 0;
  }
}
