import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IorrError } from './errors.ts';
import type { ByteSink, ByteSource } from './format/bytes-io.ts';
import { TraceFile } from './format/reader.ts';
import { TraceWriter } from './format/writer.ts';
import type { WriterOptions } from './format/writer.ts';
import type { TraceHeader, TraceSummary } from './header.ts';
import { systemReason } from './system-reason.ts';

// The shell that opens files for the pure reader and writer.

/** A trace of a file that stays open until `close`. */
export class OpenTrace extends TraceFile {
  readonly #descriptor: number;

  constructor(source: ByteSource, descriptor: number) {
    super(source);
    this.#descriptor = descriptor;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function readAt(descriptor: number, name: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    let got: number;
    try {
      got = readSync(descriptor, bytes, at, length - at, offset + at);
    } catch (error) {
      throw new IorrError('FILE_UNREADABLE', systemReason(error), {
        place: { file: name, offset: offset + at },
        cause: error,
      });
    }
    if (got === 0) break;
    at += got;
  }
  return at === length ? bytes : bytes.subarray(0, at);
}

/** The bytes of an open file; every read gives fresh ones. Reading throws `IorrError` FILE_UNREADABLE. */
export function descriptorSource(descriptor: number, name: string, size: number): ByteSource {
  return {
    name,
    size,
    read: (offset, length) => readAt(descriptor, name, offset, Math.max(0, Math.min(length, size - offset))),
  };
}

/** Copies stdin into a temporary file, which is gone as soon as it is closed: the format needs random access. */
function spoolStdin(): number {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-stdin-'));
  const path = join(folder, 'trace');
  const descriptor = openSync(path, 'w+');
  const chunk = new Uint8Array(1 << 16);
  for (;;) {
    let got: number;
    try {
      got = readSync(0, chunk);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'EAGAIN') continue;
      if ((error as { code?: unknown }).code === 'EOF') break;
      throw new IorrError('FILE_UNREADABLE', systemReason(error), { place: { file: 'stdin' }, cause: error });
    }
    if (got === 0) break;
    writeSync(descriptor, chunk, 0, got);
  }
  rmSync(folder, { recursive: true });
  return descriptor;
}

/**
 * Opens a trace; `-` is stdin. Throws `IorrError`: FILE_UNREADABLE, FORMAT_EMPTY, FORMAT_UNKNOWN, TRACE_NEWER, TRACE_DAMAGED.
 * What is damaged but not fatal is in the trace's `health`.
 */
export function openTrace(path: string): OpenTrace {
  const name = path === '-' ? 'stdin' : path;
  let descriptor: number;
  try {
    descriptor = path === '-' ? spoolStdin() : openSync(path, 'r');
  } catch (error) {
    if (error instanceof IorrError) throw error;
    throw new IorrError('FILE_UNREADABLE', systemReason(error), {
      place: { file: name },
      hint: 'check the path',
      cause: error,
    });
  }
  try {
    const status = fstatSync(descriptor);
    if (status.isDirectory()) {
      throw new IorrError('FILE_UNREADABLE', 'a trace expected, found a directory', {
        place: { file: name },
        hint: 'name one .iorr file',
      });
    }
    return new OpenTrace(descriptorSource(descriptor, name, status.size), descriptor);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Writes all bytes, however many calls that takes. */
export function fileSink(descriptor: number, name: string): ByteSink {
  return {
    write(bytes) {
      let at = 0;
      while (at < bytes.length) {
        try {
          at += writeSync(descriptor, bytes, at, bytes.length - at);
        } catch (error) {
          if ((error as { code?: unknown }).code === 'EAGAIN') continue;
          throw new IorrError('FILE_UNWRITABLE', systemReason(error), {
            place: { file: name },
            hint: 'what was written before stays readable',
            cause: error,
          });
        }
      }
    },
  };
}

/** A trace that is being written to a file. Every flush is in the operating system's hands when it returns. */
export class TraceFileWriter extends TraceWriter {
  readonly #descriptor: number;
  #open = true;

  constructor(descriptor: number, name: string, header: TraceHeader, options: WriterOptions) {
    super(fileSink(descriptor, name), header, options);
    this.#descriptor = descriptor;
  }

  override finish(summary: TraceSummary): void {
    super.finish(summary);
    this.close();
  }

  /** Closes the file without a footer; readers will say that it was cut. */
  close(): void {
    if (this.#open) this.abandon();
    if (this.#open && this.#descriptor !== 1) closeSync(this.#descriptor);
    this.#open = false;
  }
}

/** Creates (or truncates) a trace; `-` is stdout. Throws `IorrError` FILE_UNWRITABLE at once, before any work is done. */
export function createTrace(path: string, header: TraceHeader, options: WriterOptions = {}): TraceFileWriter {
  if (path === '-') return new TraceFileWriter(1, 'stdout', header, options);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'w');
  } catch (error) {
    throw new IorrError('FILE_UNWRITABLE', systemReason(error), {
      place: { file: path },
      hint: 'name a file in a folder that exists and that you may write to',
      cause: error,
    });
  }
  return new TraceFileWriter(descriptor, path, header, options);
}
