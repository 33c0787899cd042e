import type { Fidelity, TraceClock, TraceHost, TraceSource } from '../../traces/header.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import type { Health } from '../../traces/health.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';

/** Bytes of the (decompressed) beginning of an input that `detect` and `describe` are shown, at most. */
export const HEAD_BYTES = 64 * 1024;

/** What a file's beginning says about the whole; goes into the trace's header before the first event. */
export interface ImportHeader {
  readonly source: TraceSource;
  readonly host: TraceHost;
  /** As in `TraceHeader`, where the source has it. */
  readonly machine?: object;
  readonly clock: TraceClock;
  readonly fidelity: { readonly [S in StreamName]?: Fidelity };
}

/** Where a run's events and troubles go. */
export interface ImportTarget {
  readonly sink: EventSink;
  readonly health: Health;
  /** Name of the input in places, as `file:line`. */
  readonly file: string;
  /** What `describe` returned for the same input. */
  readonly header: ImportHeader;
  /** Events that no stream is for are kept as rows of `event`, by importers that say so (`keepsOthers`). */
  readonly allEvents?: boolean;
  /** Index of this input among the trace's sources. Default 0. */
  readonly source?: number;
}

/**
 * Known at the end of an input. Each line (or record, or event: `Importer.unit`) is counted exactly once:
 * `lines` = `events` + `folded` + `blank` + `skipped` + `malformed`, `unknown` and `ignored` of the health record.
 */
export interface ImportFacts {
  /** Lines read, without comments and headers. */
  readonly lines: number;
  /** Lines that became an event. What comes on top (a loss before a line, a mark of the test case) is not counted. */
  readonly events: number;
  /** Lines whose content went into the event of another line. */
  readonly folded: number;
  readonly blank: number;
  /** Lines that were too long, or cut by the end of the input; the health record has them as `truncated`. */
  readonly skipped: number;
  /** What else is worth telling: plain data for `TraceSummary.notes`. */
  readonly notes: { readonly [name: string]: unknown };
}

/** One input being read. Chunks may be cut anywhere; the events don't depend on where. */
export interface ImportRun {
  push(chunk: Uint8Array): void;
  end(): ImportFacts;
}

/** A capture being read whose parts lie anywhere in its file. */
export interface WholeRun {
  /** Reads some thousand events; false if there are no more. */
  step(): boolean;
  end(): ImportFacts;
}

/** Reads a kind of capture that can't be read from front to back. Pure: bytes in, events out. */
export interface WholeImporter {
  describe(bytes: ByteSource): ImportHeader;
  create(target: ImportTarget, bytes: ByteSource): WholeRun;
}

/** Of what an input consists: lines of a text, records of a ring buffer, events of a trace. */
export type ImportUnit = 'lines' | 'records' | 'events';

/** Reads one kind of capture. Pure: bytes in, events out. */
export interface Importer {
  /** `ftrace-text`; also what `--format` takes and the trace's source says. */
  readonly name: string;
  /** One line for the list of formats. */
  readonly description: string;
  /** Which side of a run it saw: the guest's kernel, or the host that emulated its IOMMU. Joins need one of each. */
  readonly side: 'guest' | 'host';
  /** What its inputs are counted in. Default: lines. */
  readonly unit?: ImportUnit;
  /** Its events go beside those of another capture of the same side, by the clock that both have. */
  readonly beside?: boolean;
  /** It records system calls of programs: they are joined with what a kernel's trace of the same run has of them. */
  readonly calls?: true;
  /** It can keep events that no stream is for. */
  readonly keepsOthers?: true;
  /** From 0 (not this format) to 1 (certainly), by the first `HEAD_BYTES` of an input. */
  detect(head: Uint8Array): number;
  describe(head: Uint8Array): ImportHeader;
  create(target: ImportTarget): ImportRun;
  /** There where the format's parts lie anywhere: `create` then has to hold the whole input in memory, and this has not. */
  readonly whole?: WholeImporter;
}
