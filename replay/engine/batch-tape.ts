import type { Nanoseconds } from '../../traces/units.ts';
import { COMMAND_WORDS, CommandList } from './command-list.ts';
import type { CommandWords } from './command-matcher.ts';

/**
 * Commands in batches: what a driver handed over before it waited. Held in flat arrays, since a trace has hundreds of thousands.
 * Whoever fills it adds each command of a batch to `commands`, then calls `close`.
 */
export class BatchTape {
  readonly commands: CommandList = new CommandList();
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
    return this.commands.length - (this.#starts.at(-1) ?? 0);
  }

  close(event: number, time: Nanoseconds, key: number, mark: number): void {
    this.#starts.push(this.commands.length);
    this.events.push(event);
    this.times.push(time);
    this.keys.push(key);
    this.marks.push(mark);
  }

  /** Adds a batch of another tape. */
  copy(from: BatchTape, batch: number): void {
    for (let c = 0; c < from.size(batch); c++) this.commands.add(...from.words(batch, c));
    this.close(from.events[batch] ?? 0, from.times[batch] ?? 0, from.keys[batch] ?? 0, from.marks[batch] ?? 0);
  }

  /** Forgets all batches. */
  clear(): void {
    this.commands.length = 0;
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
    return this.commands.words[COMMAND_WORDS * ((this.#starts[batch] ?? 0) + command) + word] ?? 0;
  }

  words(batch: number, command: number): CommandWords {
    const at = COMMAND_WORDS * ((this.#starts[batch] ?? 0) + command);
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.commands.words.subarray(
      at,
      at + COMMAND_WORDS,
    );
    return [a, b, c, d, e, f, g, h];
  }
}
