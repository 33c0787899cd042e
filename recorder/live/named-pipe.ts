import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { IorrError } from '../../traces/errors.ts';

/** Node has no call for it. */
const MKFIFO = 'mkfifo';

/** Makes a named pipe. Throws `IorrError` RECORDING_FAILED. */
export function makePipe(path: string): void {
  const { status, stderr, error } = spawnSync(MKFIFO, ['-m', '600', path], { encoding: 'utf8' });
  if (status === 0) return;
  throw new IorrError('RECORDING_FAILED', `no named pipe could be made: ${error?.message ?? stderr.trim()}`, {
    hint: 'mkfifo belongs to coreutils; TMPDIR must be a folder that you may write to',
  });
}

const CHUNK = 64 * 1024;

/** The reading end of a named pipe; never waits. */
export class PipeReader {
  readonly #descriptor: number;
  readonly #chunk = new Uint8Array(CHUNK);
  #open = true;

  constructor(path: string) {
    // Without O_NONBLOCK it would wait for a writer.
    this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** What is there; undefined where nothing is (also before the first writer came, and after the last one went). */
  read(): Uint8Array | undefined {
    try {
      const got = readSync(this.#descriptor, this.#chunk, 0, CHUNK, null);
      return got === 0 ? undefined : this.#chunk.subarray(0, got);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'EAGAIN' || code === 'EINTR') return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.#open) closeSync(this.#descriptor);
    this.#open = false;
  }
}
