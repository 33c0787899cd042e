import { EMPTY_HEALTH } from './header.ts';
import type { TraceHeader } from './header.ts';
import type { HealthReport } from './health.ts';
import { STREAMS, STREAM_NAMES } from './schema.ts';
import type { BytesColumn, StreamName } from './schema.ts';
import { SegmentBuilder, columnProperties } from './segment.ts';
import type { Segment, StreamRows } from './segment.ts';
import type { EventSink, Trace } from './trace.ts';

/** A copy of a builder's segment whose arrays have exactly the length of what they hold. */
export function snapshot(builder: SegmentBuilder): Segment {
  builder.settle();
  const rows: Record<string, StreamRows<StreamName>> = {};
  for (const name of STREAM_NAMES) {
    const from = builder.rows[name];
    const source = from.columns as unknown as Record<string, Int32Array | BytesColumn>;
    const columns: Record<string, Int32Array | BytesColumn> = {};
    for (const [column, kind] of Object.entries(STREAMS[name])) {
      for (const property of columnProperties(column, kind)) {
        const array = source[property];
        if (array === undefined) continue;
        if (array instanceof Int32Array) columns[property] = array.slice(0, from.count);
        else {
          const end = from.count === 0 ? 0 : (array.offsets[from.count] ?? 0);
          const offsets = from.count === 0 ? new Int32Array(1) : array.offsets.slice(0, from.count + 1);
          columns[property] = { offsets, data: array.data.slice(0, end) };
        }
      }
    }
    rows[name] = { count: from.count, columns } as unknown as StreamRows<StreamName>;
  }
  const n = builder.count;
  return {
    firstEvent: builder.firstEvent,
    count: n,
    stream: builder.stream.slice(0, n),
    time: builder.time.slice(0, n),
    cpu: builder.cpu.slice(0, n),
    task: builder.task.slice(0, n),
    source: builder.source.slice(0, n),
    rows: rows as unknown as Segment['rows'],
  };
}

/** A trace held in memory: both an `EventSink` and a `Trace`. For tests, small traces and joins. */
export class MemoryTrace implements EventSink, Trace {
  readonly header: TraceHeader;
  readonly strings: string[] = [];
  health: HealthReport = EMPTY_HEALTH;
  notes: { readonly [name: string]: unknown } = {};
  eventCount = 0;
  readonly #builder: SegmentBuilder;
  readonly #done: Segment[] = [];
  readonly #index = new Map<string, number>();

  /** `builder`: an empty one that nobody else uses as long as events come; who makes many small traces has it made once. */
  constructor(header: TraceHeader, builder: SegmentBuilder = new SegmentBuilder()) {
    this.header = header;
    this.#builder = builder;
  }

  get rows(): EventSink['rows'] {
    return this.#builder.rows;
  }

  begin(streamId: number, time: number, cpu: number, task: number, source = 0): number {
    if (this.#builder.full) this.#seal();
    this.eventCount++;
    return this.#builder.begin(streamId, time, cpu, task, source);
  }

  get room(): number {
    return this.#builder.room;
  }

  setBytes(column: BytesColumn, row: number, value: Uint8Array): void {
    this.#builder.setBytes(column, row, value);
  }

  intern(text: string): number {
    let id = this.#index.get(text);
    if (id === undefined) {
      id = this.strings.length;
      this.strings.push(text);
      this.#index.set(text, id);
    }
    return id;
  }

  get streamCounts(): { readonly [S in StreamName]: number } {
    const counts = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0])) as Record<StreamName, number>;
    for (const segment of this.segments()) for (const name of STREAM_NAMES) counts[name] += segment.rows[name].count;
    return counts;
  }

  *segments(): Generator<Segment> {
    this.#seal();
    yield* this.#done;
  }

  #seal(): void {
    if (this.#builder.count === 0) return;
    this.#done.push(snapshot(this.#builder));
    this.#builder.clear(this.eventCount);
  }
}
