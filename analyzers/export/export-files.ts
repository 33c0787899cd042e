import { closeSync, mkdirSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import type { ExportSink } from './exporter.ts';

const BUFFER_BYTES = 1 << 20;

/** A file that is being written; it has its name only when it is whole. */
export interface ExportFile extends ExportSink {
  readonly path: string;
  /** Bytes so far. */
  readonly bytes: number;
  /** Gives the file its name. */
  close(): void;
  /** Takes away what was written. */
  discard(): void;
}

function unwritable(path: string, error: unknown): IorrError {
  return new IorrError('FILE_UNWRITABLE', error instanceof Error ? error.message : String(error), {
    place: { file: path },
    hint: 'check the folder, its permissions and its free space',
    cause: error,
  });
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** Collects small writes into large ones. */
class Buffered {
  readonly #chunk = Buffer.allocUnsafe(BUFFER_BYTES);
  readonly #flushed: (bytes: Uint8Array) => void;
  #used = 0;

  constructor(flushed: (bytes: Uint8Array) => void) {
    this.#flushed = flushed;
  }

  write(bytes: Uint8Array | string): void {
    const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
    if (this.#used + size > BUFFER_BYTES) this.flush();
    if (size > BUFFER_BYTES) this.#flushed(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    else if (typeof bytes === 'string') this.#used += this.#chunk.write(bytes, this.#used);
    else {
      this.#chunk.set(bytes, this.#used);
      this.#used += size;
    }
  }

  flush(): void {
    if (this.#used === 0) return;
    this.#flushed(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }
}

/** Opens a file and the folders above it. Throws `FILE_UNWRITABLE`, at once and later. */
export function exportFile(path: string): ExportFile {
  const part = `${path}.part`;
  const descriptor = attempt(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(part, 'w');
  });
  let bytes = 0;
  const buffered = new Buffered((chunk) => {
    bytes += chunk.length;
    attempt(path, () => {
      for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at);
    });
  });
  return {
    path,
    get bytes() {
      return bytes;
    },
    write: (chunk) => buffered.write(chunk),
    close() {
      buffered.flush();
      attempt(path, () => {
        closeSync(descriptor);
        renameSync(part, path);
      });
    },
    discard() {
      closeSync(descriptor);
      unlinkSync(part);
    },
  };
}

/** stdout as a file; `out` ends the process quietly when the reader is gone. */
export function exportStdout(out: (bytes: Uint8Array) => void): ExportFile {
  let bytes = 0;
  const buffered = new Buffered((chunk) => {
    bytes += chunk.length;
    out(chunk);
  });
  return {
    path: '-',
    get bytes() {
      return bytes;
    },
    write: (chunk) => buffered.write(chunk),
    close: () => buffered.flush(),
    discard() {},
  };
}
