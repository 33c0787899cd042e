import { FORMAT_VERSION } from '../header.ts';
import type { TraceHeader, TraceSummary } from '../header.ts';
import { STREAM_NAMES } from '../schema.ts';
import type { BytesColumn, StreamName } from '../schema.ts';
import { SEGMENT_EVENTS, SegmentBuilder } from '../segment.ts';
import type { Segment } from '../segment.ts';
import type { EventSink } from '../trace.ts';
import type { ByteSink } from './bytes-io.ts';
import { ColumnEncoder } from './column-encoder.ts';
import { defaultCompression } from './compression.ts';
import type { Compression } from './compression.ts';
import { FRAME, MAGIC, encodeFrame, encodeTrailer } from './frame.ts';
import { MAX_INDEXED, MAX_STRINGS, MAX_STRINGS_LENGTH, MAX_STRING_BYTES } from './limits.ts';
import { SegmentEncoder } from './segment-encoder.ts';
import type { SegmentContent, SegmentSummary } from './segment-frame.ts';
import type { SegmentPipeline } from './segment-pipeline.ts';

/** A writer flushes what it holds when this much time has passed: the most that a killed recorder can lose. */
export const FLUSH_PERIOD_MS = 1000;

/** One line of the footer's index: offset of the frame, then what `SegmentSummary` holds. */
export type IndexEntry = readonly [
  offset: number,
  firstEvent: number,
  count: number,
  tMin: number,
  tMax: number,
  rows: readonly number[],
];

/** How a trace is written; what is absent is as `iorr import` has it. */
export interface WriterOptions {
  readonly compression?: Compression;
  /** Sees each segment just before it is written; its arrays hold only during the call. */
  readonly onSegment?: (segment: Segment) => void;
  /**
   * Makes what encodes this trace's segments elsewhere. Then what was flushed is readable only a few segments later, and all of
   * it once the trace is finished. Asked for when the first segment is a large one: small traces are not worth it.
   */
  readonly pipeline?: (compression: Compression) => SegmentPipeline;
}

/**
 * Writes a trace as it comes, in memory bounded by one segment. Append-only: what was flushed stays readable whatever happens
 * afterwards. Call `tick` now and then with a monotonic clock in ms; call `finish` at the end.
 */
export class TraceWriter implements EventSink {
  readonly #sink: ByteSink;
  readonly #onSegment: WriterOptions['onSegment'];
  readonly #makePipeline: WriterOptions['pipeline'];
  readonly #compression: Compression;
  readonly #builder = new SegmentBuilder();
  readonly #segments: SegmentEncoder;
  #pipeline: SegmentPipeline | undefined;
  #encodedElsewhere: readonly number[] = [];
  /** What comes next in the file, where it waits for the pipeline: a frame of strings, or (undefined) a segment. */
  readonly #waiting: (Uint8Array | undefined)[] = [];
  readonly #index: IndexEntry[] = [];
  readonly #stringFrames: number[] = [];
  readonly #strings = new Map<string, number>();
  #newStrings: string[] = [];
  #stringsLength = 0;
  #offset = 0;
  #events = 0;
  #lastFlush = Number.NEGATIVE_INFINITY;
  #finished = false;

  constructor(sink: ByteSink, header: TraceHeader, options: WriterOptions = {}) {
    this.#sink = sink;
    this.#onSegment = options.onSegment;
    this.#makePipeline = options.pipeline;
    this.#compression = options.compression ?? defaultCompression();
    this.#segments = new SegmentEncoder(new ColumnEncoder(this.#compression));
    this.#write(MAGIC);
    this.#write(encodeFrame([FRAME.header, { ...header, formatVersion: FORMAT_VERSION }]));
  }

  get rows(): { readonly [S in StreamName]: EventSink['rows'][S] } {
    return this.#builder.rows;
  }

  /** Events taken so far. */
  get events(): number {
    return this.#events;
  }

  /** Events by stream that were flushed so far; all of them once the trace is finished. */
  get streamCounts(): { readonly [S in StreamName]: number } {
    const sum = (id: number): number => this.#index.reduce((total, entry) => total + (entry[5][id] ?? 0), 0);
    return Object.fromEntries(STREAM_NAMES.map((name, id) => [name, sum(id)])) as {
      readonly [S in StreamName]: number;
    };
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#offset;
  }

  begin(streamId: number, time: number, cpu: number, task: number, source = 0): number {
    if (this.#builder.full) this.flush();
    this.#events++;
    return this.#builder.begin(streamId, time, cpu, task, source);
  }

  get room(): number {
    return this.#builder.room;
  }

  setBytes(column: BytesColumn, row: number, value: Uint8Array): void {
    this.#builder.setBytes(column, row, value);
  }

  intern(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const bounded = boundText(text);
    const id = this.#strings.size;
    if (id >= MAX_STRINGS - 1 || this.#stringsLength + bounded.length > MAX_STRINGS_LENGTH) {
      return this.#strings.get('(string table full)') ?? this.#add('(string table full)');
    }
    return bounded === text ? this.#add(text) : (this.#strings.get(bounded) ?? this.#add(bounded));
  }

  /** A text of the string table; undefined where there is none. Slow: for few of them. */
  text(ref: number): string | undefined {
    let at = 0;
    for (const text of this.#strings.keys()) if (at++ === ref) return text;
    return undefined;
  }

  /** Flushes if `FLUSH_PERIOD_MS` have passed since the last time. */
  tick(nowMs: number): void {
    if (this.#lastFlush === Number.NEGATIVE_INFINITY) this.#lastFlush = nowMs;
    if (nowMs - this.#lastFlush < FLUSH_PERIOD_MS) return;
    this.#lastFlush = nowMs;
    this.flush();
  }

  /** Writes what is held as one segment. */
  flush(): void {
    const builder = this.#builder;
    if (this.#newStrings.length > 0) {
      const frame = encodeFrame([FRAME.strings, this.#strings.size - this.#newStrings.length, this.#newStrings]);
      if (this.#waiting.length > 0) this.#waiting.push(frame);
      else this.#writeStrings(frame);
      this.#newStrings = [];
    }
    if (builder.count === 0) return;
    builder.settle();
    this.#writeSegment(builder);
    builder.clear(this.#events);
  }

  /**
   * Writes a whole segment of another trace, with all its columns: much cheaper than event by event. Its `ref` columns must
   * hold indexes of this writer's string table (intern the other trace's texts in their order first).
   */
  append(segment: Segment): void {
    this.flush();
    if (segment.count === 0) return;
    this.#writeSegment({ ...segment, firstEvent: this.#events });
    this.#events += segment.count;
    this.#builder.clear(this.#events);
  }

  /**
   * Writes a segment of another trace with the columns that may be renewed (`RENEWABLE`) taken from `segment`, and all others
   * byte for byte from its frame: much cheaper than `append`. Texts as there. Throws `RangeError` for frames of other writers
   * that predict columns otherwise.
   */
  appendRenewed(content: SegmentContent, segment: Segment): void {
    this.flush();
    if (segment.count === 0) return;
    this.#drain(true);
    this.#writeEncoded(this.#segments.renew(content, { ...segment, firstEvent: this.#events }));
    this.#events += segment.count;
    this.#builder.clear(this.#events);
  }

  /** Ends what works for a trace that is not finished. */
  protected abandon(): void {
    this.#pipeline?.close();
  }

  /** Flushes, writes footer and trailer. The trace is whole afterwards. */
  finish(summary: TraceSummary): void {
    if (this.#finished) return;
    this.#finished = true;
    this.flush();
    this.#drain(true);
    this.#pipeline?.close();
    const footer = this.#offset;
    const encoded = this.#segments.bytes.map((bytes, id) => bytes + (this.#encodedElsewhere[id] ?? 0));
    const bytesByStream = Object.fromEntries(STREAM_NAMES.map((name, id) => [name, encoded[id] ?? 0]));
    const sharedBytes = encoded[STREAM_NAMES.length] ?? 0;
    this.#write(
      encodeFrame([
        FRAME.footer,
        {
          events: this.#events,
          // A footer is one frame. Without an index, which a trace of that size does not fit in, readers scan the file.
          ...(this.#index.length <= MAX_INDEXED ? { index: this.#index, strings: this.#stringFrames } : {}),
          bytesByStream,
          sharedBytes,
          summary,
        },
      ]),
    );
    this.#write(encodeTrailer(footer));
  }

  #writeSegment(segment: Segment): void {
    if (this.#index.length + this.#waiting.length === 0 && segment.count > SEGMENT_EVENTS / 2) {
      this.#pipeline = this.#makePipeline?.(this.#compression);
    }
    if (this.#pipeline === undefined) {
      this.#onSegment?.(segment);
      this.#writeEncoded(this.#segments.encode(segment));
      return;
    }
    this.#pipeline.push(segment);
    this.#waiting.push(undefined);
    this.#onSegment?.(segment);
    this.#drain(false);
  }

  /** Writes what the pipeline is done with, or all that it was given. */
  #drain(all: boolean): void {
    const waiting = this.#waiting;
    while (waiting.length > 0) {
      const strings = waiting[0];
      if (strings === undefined) {
        const encoded = this.#pipeline?.take(all);
        if (encoded === undefined) return;
        this.#encodedElsewhere = encoded.bytes;
        this.#writeFrame(encoded.frame, encoded.summary);
      } else this.#writeStrings(strings);
      waiting.shift();
    }
  }

  #writeEncoded({ content, summary }: { content: SegmentContent; summary: SegmentSummary }): void {
    this.#writeFrame(encodeFrame(content), summary);
  }

  #writeFrame(frame: Uint8Array, summary: SegmentSummary): void {
    this.#index.push(indexEntry(this.#offset, summary));
    this.#write(frame);
  }

  #writeStrings(frame: Uint8Array): void {
    this.#stringFrames.push(this.#offset);
    this.#write(frame);
  }

  #add(text: string): number {
    const id = this.#strings.size;
    this.#strings.set(text, id);
    this.#newStrings.push(text);
    this.#stringsLength += text.length;
    return id;
  }

  #write(bytes: Uint8Array): void {
    this.#sink.write(bytes);
    this.#offset += bytes.length;
  }
}

function indexEntry(offset: number, summary: SegmentSummary): IndexEntry {
  return [offset, summary.firstEvent, summary.count, summary.tMin, summary.tMax, summary.rows];
}

/** A text cut so that its UTF-8 form fits the format, and free of lone surrogates. */
function boundText(text: string): string {
  const cut = text.length * 3 > MAX_STRING_BYTES ? text.slice(0, Math.floor(MAX_STRING_BYTES / 3)) : text;
  return cut.toWellFormed();
}
