import { constants } from 'node:os';
import type { TracedCommand } from './traced-command.ts';

/** A command that was asked to end has this long before the recording ends without it. */
const GRACE_MS = 3000;
const SIGNALS = ['SIGTERM', 'SIGHUP'] as const;

/**
 * Turns signals into the end of a recording. Without a command the first one ends it. A command is passed the signal on (but
 * for Ctrl-C on a terminal, which it got itself), and the recording ends with it, or without it after a while.
 */
export class StopSignals {
  readonly #stop = new AbortController();
  readonly #command: () => TracedCommand | undefined;
  readonly #interrupt: AbortSignal;
  #timer: NodeJS.Timeout | undefined;
  #received: NodeJS.Signals | undefined;
  readonly #onInterrupt = (): void => this.#receive('SIGINT');
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#receive(signal);

  /** `interrupt` is aborted by Ctrl-C. */
  constructor(interrupt: AbortSignal, command: () => TracedCommand | undefined) {
    this.#interrupt = interrupt;
    this.#command = command;
    interrupt.addEventListener('abort', this.#onInterrupt, { once: true });
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    if (interrupt.aborted) this.#receive('SIGINT');
  }

  /** Aborted when the recording is to end. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** 128 + n of the signal that came; undefined if none did. */
  get status(): number | undefined {
    return this.#received === undefined ? undefined : 128 + constants.signals[this.#received];
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#interrupt.removeEventListener('abort', this.#onInterrupt);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  #receive(signal: NodeJS.Signals): void {
    const again = this.#received !== undefined;
    this.#received ??= signal;
    const command = this.#command();
    if (command === undefined || again) {
      this.#stop.abort();
      return;
    }
    const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
    if (signal !== 'SIGINT' || !terminal) command.kill(signal);
    this.#timer = setTimeout(() => this.#stop.abort(), GRACE_MS);
  }
}
