import { availableParallelism } from 'node:os';
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { IorrError } from './errors.ts';
import type { Compression } from './format/compression.ts';
import { packSegment } from './format/packed-segment.ts';
import type { EncodedSegment, SegmentPipeline } from './format/segment-pipeline.ts';
import type { WriterOptions } from './format/writer.ts';
import type { Segment } from './segment.ts';

/** What the thread is given. */
export interface EncodingTask {
  readonly compression: Compression;
  readonly port: MessagePort;
  /** Replies sent so far. */
  readonly replies: Int32Array<SharedArrayBuffer>;
}

/** `room` held the segment and may hold another. */
export interface EncodedReply extends EncodedSegment {
  readonly room: ArrayBuffer;
}

/** Segments that wait for the thread, or are in its hands: what is not written yet, and what memory that takes. */
const MOST_WAITING = 3;
/** A segment takes a tenth of a second; a thread that gives nothing for so long gives nothing any more. */
const PATIENCE_MS = 120_000;

/**
 * Encodes in a thread of its own what the caller's thread makes. The same bytes as without it: one thread sees all segments in
 * their order. Nothing here waits for events of the loop, so that a writer stays synchronous.
 */
export class EncodingThread implements SegmentPipeline {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #replies = new Int32Array(new SharedArrayBuffer(4));
  readonly #rooms: ArrayBuffer[] = [];
  readonly #ready: EncodedSegment[] = [];
  #pushed = 0;
  #received = 0;
  /** Why the thread ended by itself: no memory, no code. Heard of only when the loop turns; else its silence is noticed. */
  #failure: string | undefined;

  constructor(compression: Compression) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData: EncodingTask = { compression, port: port2, replies: this.#replies };
    this.#worker = new Worker(workerFile(), { workerData, transferList: [port2] });
    this.#worker.on('error', (error) => {
      this.#failure = error.message;
    });
    this.#worker.unref();
  }

  push(segment: Segment): void {
    while (this.#pushed - this.#received >= MOST_WAITING) this.#receive(true);
    const packed = packSegment(segment, this.#rooms.pop());
    this.#port.postMessage(packed, [packed.buffer]);
    this.#pushed++;
  }

  take(wait: boolean): EncodedSegment | undefined {
    while (this.#received < this.#pushed && this.#receive(wait && this.#ready.length === 0));
    return this.#ready.shift();
  }

  close(): void {
    this.#port.close();
    void this.#worker.terminate();
  }

  /** Takes one reply in; false where there is none. Throws `IorrError` where the thread failed. */
  #receive(wait: boolean): boolean {
    if (this.#failure !== undefined) throw failed(this.#failure);
    if (wait && Atomics.wait(this.#replies, 0, this.#received, PATIENCE_MS) === 'timed-out') {
      throw failed(`it gave nothing for ${PATIENCE_MS / 1000} s`);
    }
    const message = receiveMessageOnPort(this.#port)?.message as
      | EncodedReply
      | { readonly failure: string }
      | undefined;
    if (message === undefined) return false;
    if ('failure' in message) throw failed(message.failure);
    const { room, ...encoded } = message;
    this.#received++;
    this.#rooms.push(room);
    this.#ready.push(encoded);
    return true;
  }
}

/**
 * For what reads one trace and writes another, which takes as long as encoding does: both at once, where there is a second processor.
 * What only makes events is so much faster than encoding that a thread would hardly change how long it takes.
 */
export function writingBesideReading(): WriterOptions {
  return availableParallelism() > 1 ? { pipeline: (compression) => new EncodingThread(compression) } : {};
}

function failed(why: string): IorrError {
  return new IorrError('FILE_UNWRITABLE', `the thread that encodes the trace failed: ${why}`, {
    hint: 'what was written before stays readable; --jobs 1 does without it',
  });
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
function workerFile(): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './encoding-worker.js' : '../dist/traces/encoding-worker.js', import.meta.url);
}
