import { IorrError } from '../errors.ts';
import { Health } from '../health.ts';
import type { HealthReport } from '../health.ts';
import type { TraceHeader } from '../header.ts';
import { STREAM_NAMES } from '../schema.ts';
import type { StreamName } from '../schema.ts';
import type { Segment } from '../segment.ts';
import type { ReadPlan, Trace } from '../trace.ts';
import { ReusedArrays } from './array-pool.ts';
import type { ArrayPool } from './array-pool.ts';
import type { ByteSource } from './bytes-io.ts';
import { borrowArrays, returnArrays } from './decoder/decoding-arrays.ts';
import { FRAME, MAGIC } from './frame.ts';
import { checkHeader, checkSummary } from './header-check.ts';
import { indexFromFooter, readFrame, scanIndex } from './index-scan.ts';
import type { FileIndex } from './index-scan.ts';
import { MAX_STRINGS, MAX_STRINGS_LENGTH } from './limits.ts';
import { decodeSegment } from './segment-decoder.ts';
import { readSummary } from './segment-frame.ts';
import type { SegmentContent, SegmentSummary } from './segment-frame.ts';
import { upgradeHeader } from './upgrade.ts';

/** A segment, decoded by a plan, and all of it as it is encoded. */
export interface FramedSegment {
  readonly content: SegmentContent;
  readonly segment: Segment;
}

/** Where a segment lies in its trace. */
export interface SegmentSpan {
  readonly firstEvent: number;
  readonly count: number;
  /** Earliest and latest time of its events. */
  readonly tMin: number;
  readonly tMax: number;
}

/** A trace in the container format, read by plan: only the index is in memory, segments are decoded one by one. */
export class TraceFile implements Trace {
  readonly header: TraceHeader;
  readonly strings: readonly string[];
  readonly notes: { readonly [name: string]: unknown };
  readonly eventCount: number;
  readonly streamCounts: { readonly [S in StreamName]: number };
  /** Encoded bytes by stream, and of the columns that all share; undefined where the footer is missing. */
  readonly encodedBytes:
    | { readonly streams: { readonly [stream: string]: number }; readonly shared: number }
    | undefined;
  /** False where the file was not closed: a killed recorder, a torn copy. */
  readonly closed: boolean;
  readonly #source: ByteSource;
  readonly #index: FileIndex;
  readonly #health = new Health();
  readonly #damaged = new Set<number>();

  /** Throws `IorrError`: FORMAT_EMPTY, FORMAT_UNKNOWN, TRACE_NEWER, TRACE_DAMAGED (no readable header). */
  constructor(source: ByteSource) {
    this.#source = source;
    const file = source.name;
    if (source.size === 0) {
      throw new IorrError('FORMAT_EMPTY', 'a trace expected, found an empty file', { place: { file } });
    }
    const magic = source.read(0, MAGIC.length);
    if (magic.length < MAGIC.length || MAGIC.some((byte, i) => magic[i] !== byte)) {
      throw new IorrError('FORMAT_UNKNOWN', `not a trace: it begins with ${describeStart(source.read(0, 16))}`, {
        place: { file, offset: 0 },
        hint: `convert it first: iorr import ${file} -o trace.iorr`,
      });
    }
    const index = indexFromFooter(source) ?? scanIndex(source);
    this.#index = index;
    if (index.header === undefined) {
      throw new IorrError('TRACE_DAMAGED', 'the header frame is missing or damaged; without it no event can be read', {
        place: { file, offset: MAGIC.length },
        hint: 'take the file from its source again',
      });
    }
    this.header = checkHeader(upgradeHeader(index.header, file), file);
    this.closed = index.footer !== undefined;
    const summary = checkSummary(index.footer?.['summary']);
    this.#health.merge(summary.health);
    this.notes = summary.notes;
    for (const gap of index.gaps) {
      this.#health.add('truncated', `${gap.bytes} bytes that are no whole frame`, `${file} at byte ${gap.offset}`);
    }
    if (!this.closed) {
      const last = index.segments.at(-1);
      const events = last === undefined ? 0 : last.firstEvent + last.count;
      this.#health.add(
        'truncated',
        `no footer: the recording was cut after ${events} events (up to a second before the cut is lost)`,
        file,
      );
    }
    this.strings = this.#readStrings();
    const counts = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0])) as Record<StreamName, number>;
    let events = 0;
    for (const segment of index.segments) {
      events += segment.count;
      STREAM_NAMES.forEach((name, id) => {
        counts[name] += segment.rows[id] ?? 0;
      });
    }
    this.eventCount = events;
    this.streamCounts = counts;
    this.encodedBytes = encodedBytes(index.footer);
  }

  get health(): HealthReport {
    return this.#health.report();
  }

  get bytes(): number {
    return this.#source.size;
  }

  /** Earliest and latest time of any event; undefined in an empty trace. */
  get timeRange(): { readonly from: number; readonly to: number } | undefined {
    const { segments } = this.#index;
    if (segments.length === 0) return undefined;
    let from = Number.POSITIVE_INFINITY;
    let to = Number.NEGATIVE_INFINITY;
    for (const segment of segments) {
      if (segment.tMin < from) from = segment.tMin;
      if (segment.tMax > to) to = segment.tMax;
    }
    return { from, to };
  }

  /** Segments in the file; `readSegment` reads one of them. */
  get segmentCount(): number {
    return this.#index.segments.length;
  }

  /** Rows of a segment by stream number, as the index tells them. */
  segmentRows(number: number): readonly number[] {
    return this.#index.segments[number]?.rows ?? [];
  }

  /** Events and times of a segment, as the index tells them; undefined beyond the last. */
  segmentSpan(number: number): SegmentSpan | undefined {
    return this.#index.segments[number];
  }

  *segments(plan: ReadPlan = {}): Generator<Segment> {
    const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, fromEvent = 0 } = plan;
    const lent = plan.arrays === undefined && plan.reuse === true && plan.shared !== true ? borrowArrays() : undefined;
    const pool = plan.arrays ?? lent;
    for (const [number, entry] of this.#index.segments.entries()) {
      if (entry.tMax < from || entry.tMin >= to || entry.firstEvent + entry.count <= fromEvent) continue;
      pool?.reset();
      const segment = this.readSegment(number, plan, pool);
      if (segment !== undefined) yield segment;
    }
    // who stopped before may still hold a segment
    if (lent !== undefined) returnArrays(lent);
  }

  /** One segment, or undefined where it is damaged: then its events are counted as lost, once. */
  readSegment(number: number, plan: ReadPlan = {}, pool: ArrayPool | undefined = plan.arrays): Segment | undefined {
    return this.#readFramed(number, plan, pool)?.segment;
  }

  /**
   * Segments with their frames as they stand in the file, for `TraceWriter.appendRenewed`. A segment's arrays hold until the
   * next one is asked for.
   */
  *framedSegments(plan: ReadPlan): Generator<FramedSegment> {
    const pool = new ReusedArrays();
    for (const number of this.#index.segments.keys()) {
      pool.reset();
      const framed = this.#readFramed(number, plan, pool);
      if (framed !== undefined) yield framed;
    }
  }

  #readFramed(number: number, plan: ReadPlan, pool: ArrayPool | undefined): FramedSegment | undefined {
    const entry = this.#index.segments[number];
    if (entry === undefined) return undefined;
    let why = 'checksum or encoding wrong';
    const frame = readFrame(this.#source, entry.offset);
    if (frame !== undefined && frame.content[0] === FRAME.segment) {
      try {
        const summary = readSummary(frame.content);
        if (sameSummary(summary, entry)) {
          return { content: frame.content, segment: decodeSegment(frame.content, summary, plan, pool) };
        }
        why = 'footer and segment disagree';
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
    }
    if (!this.#damaged.has(number)) {
      this.#damaged.add(number);
      this.#health.add('truncated', 'damaged segments', `${this.#source.name} at byte ${entry.offset}: ${why}`);
      this.#health.add('lost', 'events in damaged segments', undefined, entry.count);
    }
    return undefined;
  }

  /** `encodedBytes` of a file without a footer, found by reading all segments. */
  measureBytes(): { readonly streams: { readonly [stream: string]: number }; readonly shared: number } {
    const streams: Record<string, number> = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0]));
    let shared = 0;
    for (const { offset } of this.#index.segments) {
      const content = readFrame(this.#source, offset)?.content ?? [];
      shared += columnBytes(content[6]);
      for (const block of content.slice(7)) {
        const name = Array.isArray(block) && typeof block[0] === 'number' ? STREAM_NAMES[block[0]] : undefined;
        if (name !== undefined) streams[name] = (streams[name] ?? 0) + columnBytes(block);
      }
    }
    return { streams, shared };
  }

  #readStrings(): readonly string[] {
    const strings: string[] = [];
    let length = 0;
    for (const offset of this.#index.stringFrames) {
      const frame = readFrame(this.#source, offset);
      const first = frame?.content[1];
      const list = frame?.content[2];
      if (frame?.content[0] !== FRAME.strings || !Array.isArray(list) || typeof first !== 'number') {
        this.#health.add('truncated', 'damaged string table', `${this.#source.name} at byte ${offset}`);
        continue;
      }
      if (!Number.isSafeInteger(first) || first < 0 || first + list.length > MAX_STRINGS) {
        this.#health.add(
          'truncated',
          'damaged string table',
          `${this.#source.name} at byte ${offset}: texts from number ${first} on`,
        );
        continue;
      }
      while (strings.length < first) strings.push('(lost)');
      for (const [i, text] of list.entries()) {
        const value = typeof text === 'string' ? text : '(damaged)';
        length += value.length;
        if (length > MAX_STRINGS_LENGTH) {
          this.#health.add('truncated', 'string table exceeds its limit', `${this.#source.name} at byte ${offset}`);
          return strings;
        }
        strings[first + i] = value;
      }
    }
    return strings;
  }
}

/** Whether a segment is what the index says of it: counts and times were already told by the index. */
function sameSummary(a: SegmentSummary, b: SegmentSummary): boolean {
  return (
    a.count === b.count &&
    a.firstEvent === b.firstEvent &&
    a.tMin === b.tMin &&
    a.tMax === b.tMax &&
    STREAM_NAMES.every((_, id) => (a.rows[id] ?? 0) === (b.rows[id] ?? 0))
  );
}

function columnBytes(block: unknown): number {
  if (!Array.isArray(block)) return 0;
  return block.reduce((sum: number, column) => (column instanceof Uint8Array ? sum + column.length : sum), 0);
}

function encodedBytes(footer: Readonly<Record<string, unknown>> | undefined): TraceFile['encodedBytes'] {
  const streams = footer?.['bytesByStream'];
  const shared = footer?.['sharedBytes'];
  if (typeof streams !== 'object' || streams === null || typeof shared !== 'number') return undefined;
  const result: Record<string, number> = {};
  for (const name of STREAM_NAMES) {
    const value = (streams as Record<string, unknown>)[name];
    result[name] = typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
  }
  return { streams: result, shared };
}

/** The first bytes of a file as hex and as text, for messages. */
export function describeStart(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const shown = [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
  return `${hex} "${shown}"`;
}
