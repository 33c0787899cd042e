import type { Health } from '../../traces/health.ts';
import type { TraceClock, TraceHeader } from '../../traces/header.ts';
import type { EventSink } from '../../traces/trace.ts';
import type { Check } from './check.ts';
import type { System } from './system.ts';

/** What to record; the same for all sources. */
export interface LiveOptions {
  /** `SYSTEM`, `SYSTEM:NAME`; empty: the source's own choice. */
  readonly events: readonly string[];
  /** Only some processes are recorded. */
  readonly filtered: boolean;
  /**
   * With `filtered`: of IOMMUs and the DMA API, too, only what runs as these processes. Else that is everybody's: drivers map
   * and unmap in interrupts and kernel threads, which run on top of any process.
   */
  readonly processesOnly: boolean;
  /** Bytes of one sub-buffer, where the source has such; undefined: its own choice. */
  readonly subBufferBytes: number | undefined;
  /** Memory for buffers between kernel and recorder, all CPUs together, in bytes; undefined: the source's own choice. */
  readonly bufferBytes: number | undefined;
  /** Types of ioctls (bits 8 to 15 of a request) that are recorded besides those of IOMMUs. Default: none. */
  readonly requestTypes?: readonly number[] | 'all';
}

/** Whom to record: these processes with all their threads and children, or everybody. */
export type LiveTarget =
  /** `root`: the process that the recording begins with, which did nothing before. */
  | { readonly kind: 'processes'; readonly pids: readonly number[]; readonly root?: number }
  | { readonly kind: 'everybody' };

/** What a source says of a recording before it begins; goes into the trace's header. */
export interface LiveHeader {
  readonly producer: string;
  readonly clock: TraceClock;
  readonly fidelity: TraceHeader['fidelity'];
  /** Of several sources in one recording, each. */
  readonly parts?: TraceHeader['sources'];
}

/** Where a source's events and troubles go. */
export interface LiveSink {
  readonly sink: EventSink;
  readonly health: Health;
  /** What `describe` returned. */
  readonly header: LiveHeader;
  /** Index among the trace's sources. */
  readonly source: number;
  /** A folder for the source's own files; it is removed at the end. */
  readonly folder: { readonly path: string };
  /** The named pipe that a wrapped command writes into; undefined if none was wrapped. */
  readonly pipe: string | undefined;
}

/** Known at the end of a recording. */
export interface LiveFacts {
  /** Events that came from the kernel or the tool, before any of them were paired or folded. */
  readonly taken: number;
  /** Events that were lost, by the source's own account. */
  readonly lost: number;
  /** Plain data for the trace's notes. */
  readonly notes: { readonly [name: string]: unknown };
}

/** What a recording is at, for people who watch it. */
export interface LiveState {
  /** Events that are known to be lost so far. */
  readonly lost: number;
  /** How full the fullest buffer on the way is, 0 to 1. */
  readonly fill: number;
}

/** A recording that runs. */
export interface LiveRun {
  /** Takes what has come. True if there is more already. */
  poll(): boolean;
  /** Asked for twice a second at most; a source that can't tell has none. */
  state?(): LiveState;
  /** All events of before this time (ns of the trace) were given; a source that can't tell has none. */
  readonly horizon?: number;
  /** Takes the rest, and undoes everything that `start` did. */
  stop(): Promise<LiveFacts>;
  /** Undoes everything at once, for a process that ends. Synchronous; harmless after `stop`. */
  abandon(): void;
}

/** One way in which events of a running system come in. One file per source; `live-sources.ts` has them all. */
export interface LiveSource {
  /** What `--source` takes and the trace's source says. */
  readonly name: string;
  readonly description: string;
  /** What it can see, and what never, for people. */
  readonly sees: string;
  readonly misses: string;
  /** What this machine lacks for it, and how to get that. It can record if nothing is `missing`. */
  probe(system: System, options: LiveOptions): readonly Check[];
  /** Looks, and changes nothing. Throws `IorrError` for events that don't exist. */
  describe(system: System, options: LiveOptions): LiveHeader;
  /**
   * The command line that runs a command under this source, which then writes into `pipe`, a named pipe; undefined where a
   * source follows processes by their ids.
   */
  wrap?(system: System, options: LiveOptions, command: readonly string[], pipe: string): readonly string[];
  /** The program that this source runs, to be run elsewhere by hand; undefined where there is none. */
  program?(system: System, options: LiveOptions, pids: readonly number[]): string;
  /** Begins. Everything that it sets up in the system is undone before it throws. */
  start(system: System, options: LiveOptions, target: LiveTarget, sink: LiveSink): Promise<LiveRun>;
}
