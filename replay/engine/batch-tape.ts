import type { Nanoseconds } from '../../traces/units.ts';
import type { CommandWords } from './command-matcher.ts';

/** int32 words of a command: w0 to w3, low before high. */
const WORDS = 8;

/**
 * Commands in batches: what a driver handed over before it waited. Held in flat arrays, since a trace has hundreds of thousands.
 * Whoever fills it calls `command` for each command of a batch, then `close`.
 */
export class BatchTape {
  #words = new Int32Array(WORDS * 256);
  #count = 0;
  /** By batch: number of the first command, of the trace's event, its time, its submitter, and what else its maker wants kept. */
  readonly #starts: number[] = [0];
  readonly events: number[] = [];
  readonly times: Nanoseconds[] = [];
  readonly keys: number[] = [];
  readonly marks: number[] = [];

  /** Batches. */
  get length(): number {
    return this.events.length;
  }

  /** Commands of the open batch. */
  get pending(): number {
    return this.#count - (this.#starts.at(-1) ?? 0);
  }

  command(
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo: number,
    w2Hi: number,
    w3Lo: number,
    w3Hi: number,
  ): void {
    const at = WORDS * this.#count++;
    if (at === this.#words.length) {
      const larger = new Int32Array(2 * at);
      larger.set(this.#words);
      this.#words = larger;
    }
    const words = this.#words;
    words[at] = w0Lo;
    words[at + 1] = w0Hi;
    words[at + 2] = w1Lo;
    words[at + 3] = w1Hi;
    words[at + 4] = w2Lo;
    words[at + 5] = w2Hi;
    words[at + 6] = w3Lo;
    words[at + 7] = w3Hi;
  }

  close(event: number, time: Nanoseconds, key: number, mark: number): void {
    this.#starts.push(this.#count);
    this.events.push(event);
    this.times.push(time);
    this.keys.push(key);
    this.marks.push(mark);
  }

  /** Adds a batch of another tape. */
  copy(from: BatchTape, batch: number): void {
    for (let c = 0; c < from.size(batch); c++) this.command(...from.words(batch, c));
    this.close(from.events[batch] ?? 0, from.times[batch] ?? 0, from.keys[batch] ?? 0, from.marks[batch] ?? 0);
  }

  /** Forgets all batches. */
  clear(): void {
    this.#count = 0;
    this.#starts.length = 1;
    this.events.length = 0;
    this.times.length = 0;
    this.keys.length = 0;
    this.marks.length = 0;
  }

  /** Commands of a batch. */
  size(batch: number): number {
    return (this.#starts[batch + 1] ?? 0) - (this.#starts[batch] ?? 0);
  }

  /** Word `word` (0 to 7) of a command of a batch. */
  word(batch: number, command: number, word: number): number {
    return this.#words[WORDS * ((this.#starts[batch] ?? 0) + command) + word] ?? 0;
  }

  words(batch: number, command: number): CommandWords {
    const at = WORDS * ((this.#starts[batch] ?? 0) + command);
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.#words.subarray(at, at + WORDS);
    return [a, b, c, d, e, f, g, h];
  }
}
