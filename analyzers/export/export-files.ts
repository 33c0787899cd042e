import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { systemReason } from '../../traces/system-reason.ts';
import { OutputFile } from '../output-file.ts';
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

/** Opens a file and makes the folders above it. Throws `FILE_UNWRITABLE`, at once and later. */
export function exportFile(path: string): ExportFile {
  makeFolder(dirname(path));
  const file = new OutputFile(path);
  let bytes = 0;
  const buffered = new Buffered((chunk) => {
    bytes += chunk.length;
    file.write(chunk);
  });
  return {
    path,
    get bytes() {
      return bytes;
    },
    write: (chunk) => buffered.write(chunk),
    close() {
      buffered.flush();
      file.finish();
    },
    discard: () => file.discard(),
  };
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new IorrError('FILE_UNWRITABLE', systemReason(error), {
      place: { file: path },
      hint: 'check the folder above it and its permissions',
      cause: error,
    });
  }
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
