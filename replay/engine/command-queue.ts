import type { Nanoseconds } from '../../traces/units.ts';
import { COMMAND_WORDS } from './command-list.ts';

/** What a command does, at its time. The fourth word says nothing about caches. */
export type ApplyCommand = (
  time: Nanoseconds,
  w0Lo: number,
  w0Hi: number,
  w1Lo: number,
  w1Hi: number,
  w2Lo: number,
  w2Hi: number,
) => void;

/**
 * Commands of one submitter that have not taken effect, in order, each with the time at which it does so: infinity until that is
 * known. A ring that grows; words as int32 halves.
 */
export class CommandQueue {
  /** Commands whose time is known, and commands that were taken out, both ever. */
  #timed = 0;
  #popped = 0;
  #times = new Float64Array(16);
  #words = new Int32Array(COMMAND_WORDS * 16);
  #head = 0;
  #count = 0;

  /** When the oldest command takes effect; infinity if there is none, or if that is not known. */
  get next(): Nanoseconds {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#times[this.#head]!; // head is in range
  }

  /** Commands that were put in, ever, and that were taken out. */
  get pushed(): number {
    return this.#popped + this.#count;
  }

  get popped(): number {
    return this.#popped;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** Puts in the command whose `COMMAND_WORDS` words stand at `from`. */
  push(words: Int32Array, from: number): void {
    if (this.#count === this.#times.length) this.#grow();
    const at = (this.#head + this.#count) % this.#times.length;
    this.#times[at] = Number.POSITIVE_INFINITY;
    for (let w = 0; w < COMMAND_WORDS; w++) this.#words[COMMAND_WORDS * at + w] = words[from + w]!; // in range
    this.#count++;
  }

  /** The oldest command without a time takes effect then. One that was taken out before its time was known is passed over. */
  setTime(time: Nanoseconds): void {
    const ahead = this.#timed++ - this.#popped;
    if (ahead >= 0) this.#times[(this.#head + ahead) % this.#times.length] = time;
  }

  /** Hands the oldest command over and drops it. */
  pop(take: ApplyCommand): void {
    const at = this.#head;
    const words = this.#words;
    const from = COMMAND_WORDS * at;
    this.#head = (at + 1) % this.#times.length;
    this.#count--;
    this.#popped++;
    take(
      this.#times[at]!, // in range, like all below
      words[from]!,
      words[from + 1]!,
      words[from + 2]!,
      words[from + 3]!,
      words[from + 4]!,
      words[from + 5]!,
    );
  }

  #grow(): void {
    const size = this.#times.length;
    const times = new Float64Array(size * 2);
    const words = new Int32Array(size * 2 * COMMAND_WORDS);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#head + i) % size;
      times[i] = this.#times[from]!; // both are in range
      for (let w = 0; w < COMMAND_WORDS; w++) words[COMMAND_WORDS * i + w] = this.#words[COMMAND_WORDS * from + w]!;
    }
    this.#times = times;
    this.#words = words;
    this.#head = 0;
  }
}
