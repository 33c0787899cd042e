import type { PlainEvent } from '../../traces/event.ts';
import type { TraceHeader } from '../../traces/header.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** Takes the bytes of one file, in order. */
export interface ExportSink {
  write(bytes: Uint8Array | string): void;
}

/** What a file is written of. */
export interface ExportSource {
  readonly header: TraceHeader;
  /** Streams that are wanted and that the trace has, in the order of the schema. */
  readonly streams: readonly StreamName[];
  /** Times of the first and the last event. */
  readonly start: Nanoseconds;
  readonly end: Nanoseconds;
}

/** Writes one file, event by event; memory does not grow with the trace. */
export interface EventExport {
  event(event: PlainEvent): void;
  /** Writes what is left; the file is whole then. Once. */
  finish(): void;
  /** What the reader of the file should know. */
  readonly notes: readonly string[];
}

/** A format that traces are exported to; one file of `analyzers/export/` each. */
export interface Exporter {
  readonly name: string;
  readonly does: string;
  /** Of its files, without the dot. */
  readonly extension: string;
  /** One file for each stream, in place of one for all. */
  readonly perStream: boolean;
  /** Loads what it needs. Throws `PACKAGE_MISSING`. */
  open(source: ExportSource, sink: ExportSink): Promise<EventExport>;
}
