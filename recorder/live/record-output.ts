import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { IorrError } from '../../traces/errors.ts';
import { createTrace } from '../../traces/file.ts';
import type { ByteSink } from '../../traces/format/bytes-io.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import type { WriterOptions } from '../../traces/format/writer.ts';
import type { TraceHeader, TraceSummary } from '../../traces/header.ts';

/** Bytes that wait for the reader of a pipe, at most; what comes then stays with the kernel, which counts what it drops. */
const MAX_PENDING = 64 * 1024 * 1024;
/** A reader that takes nothing has this long after the recording was asked to stop. */
const PATIENCE_MS = 2000;

/** The trace that is being written, into a file or a pipe. */
export interface RecordOutput {
  readonly writer: TraceWriter;
  /** A reader can't follow: nothing more should be taken from the source now. */
  readonly full: boolean;
  /** Writes the rest. `interrupt` ends the wait for a reader that takes nothing. Throws `IorrError` FILE_UNWRITABLE. */
  finish(summary: TraceSummary, interrupt: AbortSignal): Promise<void>;
  /** Ends it as it is; what was written stays readable. */
  close(): void;
}

/** Throws `IorrError` FILE_UNWRITABLE at once. */
export function openOutput(path: string, header: TraceHeader, options: WriterOptions = {}): RecordOutput {
  const status = path === '-' ? fstatSync(1) : undefined;
  if (path === '-' && process.stdout.isTTY) {
    throw new IorrError('USAGE', 'a trace is no text for a terminal', { hint: 'name a file with -o, or pipe it on' });
  }
  if (status?.isFIFO() === true || status?.isSocket() === true) return new PipeOutput(1, 'stdout', header, options);
  const writer = createTrace(path, header, options);
  return {
    writer,
    full: false,
    finish: async (summary) => writer.finish(summary),
    close: () => writer.close(),
  };
}

/** Bytes go to the reader as fast as it takes them, and this process never waits for it. */
class PipeOutput implements RecordOutput, ByteSink {
  readonly writer: TraceWriter;
  readonly #socket: Socket;
  readonly #name: string;
  #gone: Error | undefined;

  constructor(descriptor: number, name: string, header: TraceHeader, options: WriterOptions) {
    this.#name = name;
    this.#socket = new Socket({ fd: descriptor, readable: false, writable: true });
    this.#socket.on('error', (error) => {
      this.#gone = error;
    });
    this.writer = new TraceWriter(this, header, options);
  }

  get full(): boolean {
    return this.#socket.writableLength > MAX_PENDING;
  }

  write(bytes: Uint8Array): void {
    if (this.#gone !== undefined) throw this.#error('its reader is gone');
    this.#socket.write(bytes);
  }

  async finish(summary: TraceSummary, interrupt: AbortSignal): Promise<void> {
    this.writer.finish(summary);
    let timer: NodeJS.Timeout | undefined;
    const outcome = await new Promise<'done' | 'stuck'>((resolve) => {
      const patience = (): void => {
        timer = setTimeout(() => resolve('stuck'), PATIENCE_MS);
      };
      if (interrupt.aborted) patience();
      else interrupt.addEventListener('abort', patience, { once: true });
      this.#socket.once('close', () => resolve('done'));
      this.#socket.end(() => resolve('done'));
    });
    clearTimeout(timer);
    if (this.#gone !== undefined) throw this.#error('its reader is gone');
    if (outcome === 'stuck')
      throw this.#error(`its reader took nothing, ${this.#socket.writableLength} bytes are left`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #error(what: string): IorrError {
    return new IorrError('FILE_UNWRITABLE', what, {
      place: { file: this.#name },
      hint: 'what was written before stays readable',
    });
  }
}
