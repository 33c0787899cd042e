import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { IorrError } from '../../traces/errors.ts';

/** How a command ended; its exit status as shells give it. */
export interface CommandEnd {
  readonly status: number;
  /** `SIGTERM` where a signal ended it. */
  readonly signal: string | null;
}

/** The descriptor by which a command waits. */
const GATE = 3;

/** Waits for a line, then becomes the command: what it does before is over when the recording begins. */
const WAIT_THEN_EXEC = `read -r go <&${GATE} || exit 125; exec ${GATE}<&-; exec "$@"`;

function statusOf(code: number | null, signal: NodeJS.Signals | null): CommandEnd {
  if (signal === null) return { status: code ?? 125, signal: null };
  return { status: 128 + (constants.signals[signal] ?? 0), signal };
}

/**
 * A command that was started and waits until it is let go, so that its first call can be recorded. It has our stdin, stdout and
 * stderr, and is part of our process group: Ctrl-C reaches it as if it ran alone.
 */
export class TracedCommand {
  readonly pid: number;
  readonly ended: Promise<CommandEnd>;
  readonly #child: ChildProcess;
  #over = false;

  /** `stdout`: `inherit`, or 2 to send it to stderr. Throws `IorrError` RECORDING_FAILED. */
  constructor(command: readonly string[], stdout: 'inherit' | 2) {
    const stdio: StdioOptions = ['inherit', stdout, 'inherit', 'pipe'];
    this.#child = spawn('/bin/sh', ['-c', WAIT_THEN_EXEC, 'sh', ...command], { stdio });
    // Without it, a write to a command that is gone would end this process.
    this.#gate.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#over = true;
        resolve(statusOf(code, signal));
      });
      this.#child.once('error', () => {
        this.#over = true;
        resolve({ status: 125, signal: null });
      });
    });
    if (this.#child.pid === undefined) {
      throw new IorrError('RECORDING_FAILED', 'no process could be started', { hint: 'is /bin/sh there?' });
    }
    this.pid = this.#child.pid;
  }

  get over(): boolean {
    return this.#over;
  }

  get #gate(): Writable {
    return this.#child.stdio[GATE] as Writable;
  }

  /** Lets it run. */
  release(): void {
    this.#gate.end('\n');
  }

  /** Ends it before it has begun. */
  cancel(): void {
    this.#child.kill('SIGKILL');
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#over) this.#child.kill(signal);
  }
}
