import { writeSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { INTERRUPTED } from '../../traces/command.ts';
import type { CommandIo, CommandProgress } from '../../traces/command.ts';

/** A command that is done sooner shows no bar. */
const PROGRESS_AFTER_MS = 500;

/** Writes all of it before returning, so that nothing is lost when the process ends; a closed pipe ends it quietly. */
export function writeAll(descriptor: number, text: string | Uint8Array): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (code === 'EPIPE') process.exit(0);
      else throw error;
    }
  }
}

/** What is left, by the pace so far: `8 s`, `2 min`, `3 h`. */
function timeLeft(elapsedMs: number, share: number): string {
  if (share <= 0) return '?';
  const seconds = Math.ceil((elapsedMs * (1 - share)) / share / 1000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}

/** A bar on stderr. Its time left is of the whole run: that of the last few steps jumps where steps differ. */
function startProgress(label: string, total: number): CommandProgress {
  let bar: SingleBar | undefined;
  const begun = performance.now();
  return {
    update(value) {
      const elapsed = performance.now() - begun;
      const done = total > 0 ? Math.min(value, total) : value;
      const left = total > 0 ? timeLeft(elapsed, done / total) : '';
      if (bar === undefined && elapsed > PROGRESS_AFTER_MS) {
        const format = total > 0 ? `${label} {bar} {percentage}% | {left} left` : `${label} {value}`;
        // a cursor that is hidden stays so if Ctrl-C ends the process
        bar = new SingleBar({ format, stream: process.stderr, hideCursor: false, clearOnComplete: true, barsize: 30 });
        bar.start(total > 0 ? total : 1, done, { left });
      }
      bar?.update(done, { left });
    },
    stop() {
      bar?.stop();
    },
  };
}

/** Ctrl-C, for a command that asks for it. One that never does is ended by the system, as other programs are. */
export class Interrupt {
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      process.on('SIGINT', () => {
        // the second one does not wait for the command
        if (controller.signal.aborted) process.exit(INTERRUPTED);
        controller.abort();
      });
    }
    return this.#controller.signal;
  }

  get happened(): boolean {
    return this.#controller?.signal.aborted === true;
  }
}

/** The edge of this process. `quiet`: nothing goes to stderr. */
export function processIo(interrupt: Interrupt, quiet: boolean): CommandIo {
  const dumb = process.env['TERM'] === 'dumb';
  const plain = dumb || (process.env['NO_COLOR'] ?? '') !== '';
  const drawn = process.stderr.isTTY === true && !dumb && !quiet;
  return {
    out: (text) => writeAll(1, text),
    err: (text) => {
      if (!quiet) writeAll(2, text);
    },
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true && !quiet,
    columns: process.stdout.columns ?? 100,
    colour: process.stdout.isTTY === true && !plain,
    get signal() {
      return interrupt.signal;
    },
    progress: (label, total) => (drawn ? startProgress(label, total) : { update: () => {}, stop: () => {} }),
  };
}
