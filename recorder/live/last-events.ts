import { memorySource } from '../../traces/format/bytes-io.ts';
import type { ByteSink } from '../../traces/format/bytes-io.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import type { WriterOptions } from '../../traces/format/writer.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import type { BytesColumn } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';

/** So many pieces hold the time that is kept; the oldest is dropped as a whole. */
const PIECES = 8;

/** Events of a piece of time, encoded. */
interface Piece {
  readonly writer: TraceWriter;
  readonly bytes: Uint8Array[];
  first: number;
  last: number;
}

/**
 * Keeps the last events of a recording in memory, encoded as they would be in a file, until they are wanted: at least those of
 * the time that is asked for, and an eighth more.
 */
export class LastEvents implements EventSink {
  readonly #header: TraceHeader;
  readonly #keepNs: number;
  readonly #options: WriterOptions;
  readonly #pieces: Piece[] = [];
  /** Texts have one number in all pieces. */
  readonly #texts: string[] = [];
  readonly #ids = new Map<string, number>();
  #newest: Piece;
  /** Events that were dropped because they were too old. */
  dropped = 0;

  constructor(header: TraceHeader, keepNs: number, options: WriterOptions = {}) {
    this.#header = header;
    this.#keepNs = keepNs;
    this.#options = options;
    this.#newest = this.#begin();
  }

  get rows(): EventSink['rows'] {
    return this.#newest.writer.rows;
  }

  begin(streamId: number, time: number, cpu: number, task: number, source?: number): number {
    if (time - this.#newest.first > this.#keepNs / PIECES) {
      this.#newest = this.#begin();
      this.#drop(time);
    }
    const piece = this.#newest;
    if (piece.first === Number.POSITIVE_INFINITY) piece.first = time;
    if (time > piece.last) piece.last = time;
    return piece.writer.begin(streamId, time, cpu, task, source);
  }

  setBytes(column: BytesColumn, row: number, value: Uint8Array): void {
    this.#newest.writer.setBytes(column, row, value);
  }

  intern(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#texts.length;
      this.#texts.push(text);
      this.#ids.set(text, id);
    }
    return id;
  }

  /** Bytes in memory that are encoded. */
  get bytes(): number {
    return this.#pieces.reduce((sum, { writer }) => sum + writer.bytes, 0);
  }

  text(ref: number): string | undefined {
    return this.#texts[ref];
  }

  /** Encodes what is held as it came. */
  flush(): void {
    this.#newest.writer.flush();
  }

  /** Writes all that is kept into a trace that has nothing yet, and keeps nothing of it. */
  moveTo(writer: TraceWriter): void {
    for (const text of this.#texts) writer.intern(text);
    for (const piece of this.#pieces.splice(0)) {
      piece.writer.finish({ health: EMPTY_HEALTH, notes: {} });
      const trace = new TraceFile(memorySource(Buffer.concat(piece.bytes)));
      for (const segment of trace.segments({ reuse: true })) writer.append(segment);
    }
    this.#newest = this.#begin();
  }

  #begin(): Piece {
    const bytes: Uint8Array[] = [];
    const sink: ByteSink = { write: (chunk) => bytes.push(Uint8Array.from(chunk)) };
    const piece = {
      writer: new TraceWriter(sink, this.#header, this.#options),
      bytes,
      first: Number.POSITIVE_INFINITY,
      last: Number.NEGATIVE_INFINITY,
    };
    // What is complete is encoded; only the newest piece holds a segment that is not.
    this.#pieces.at(-1)?.writer.flush();
    this.#pieces.push(piece);
    return piece;
  }

  #drop(now: number): void {
    while (this.#pieces.length > 1 && (this.#pieces[0]?.last ?? now) < now - this.#keepNs) {
      this.dropped += this.#pieces.shift()?.writer.events ?? 0;
    }
  }
}
