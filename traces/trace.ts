import type { ArrayPool } from './format/array-pool.ts';
import type { Segment, StreamRows } from './segment.ts';
import type { BytesColumn, StreamName } from './schema.ts';
import type { HealthReport } from './health.ts';
import type { TraceHeader } from './header.ts';
import type { Nanoseconds } from './units.ts';

/** Takes events in trace order. The container's writer and `MemoryTrace` are two; importers and workloads know only this. */
export interface EventSink {
  /**
   * Starts an event and returns its row in its stream's columns. Write the columns through `rows.NAME.columns` *after* this
   * call (it may replace the arrays). Times need not be monotonic, but readers expect trace order to be time order.
   */
  begin(streamId: number, time: Nanoseconds, cpu: number, task: number, source?: number): number;
  /** Events that can be begun before columns of the first must be written. Absent: one. */
  readonly room?: number;
  readonly rows: { readonly [S in StreamName]: StreamRows<S> };
  setBytes(column: BytesColumn, row: number, value: Uint8Array): void;
  /** Index of a text in the string table, for `ref` columns. */
  intern(text: string): number;
}

/** Which part of a trace to decode. What is left out stays compressed, or unread. */
export interface ReadPlan {
  /** Columns wanted by stream; a stream that is not named has rows without columns. Default: everything. */
  readonly columns?: { readonly [S in StreamName]?: readonly string[] | 'all' };
  /** Only segments that hold events at or after this time, and before `to`. Whole segments: filter events yourself. */
  readonly from?: Nanoseconds;
  readonly to?: Nanoseconds;
  /** Only segments that hold this event or later ones. */
  readonly fromEvent?: number;
  /** A segment's arrays hold until one more is asked for, also behind the last; saves allocating them anew. Not with `shared`. */
  readonly reuse?: boolean;
  /** Decode into SharedArrayBuffers, to hand to workers without a copy. */
  readonly shared?: boolean;
  /** Where the arrays come from, instead: taken back with each segment. */
  readonly arrays?: ArrayPool;
  /** Times, CPUs, tasks and sources are not looked at: those arrays may be empty. */
  readonly untimed?: boolean;
}

/** A readable trace. `segments` may be called any number of times; each call starts over. */
export interface Trace {
  readonly header: TraceHeader;
  readonly strings: readonly string[];
  /** What importing and reading lost. Complete only after all segments were read once. */
  readonly health: HealthReport;
  readonly notes: { readonly [name: string]: unknown };
  readonly eventCount: number;
  readonly streamCounts: { readonly [S in StreamName]: number };
  segments(plan?: ReadPlan): Generator<Segment>;
}
