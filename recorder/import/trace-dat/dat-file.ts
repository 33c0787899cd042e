import type { EventFormat } from '../../ftrace/event-format.ts';
import type { SubBufferLayout } from '../../ftrace/ring-buffer.ts';
import type { Codec } from './codec.ts';

/** Where the sub-buffers of one CPU lie. */
export interface CpuData {
  readonly cpu: number;
  readonly offset: number;
  /** Bytes in the file. */
  readonly size: number;
}

/** One ring buffer: the machine's own, or that of an instance. */
export interface DatBuffer {
  /** Empty for the machine's own. */
  readonly name: string;
  readonly clock: string;
  readonly layout: SubBufferLayout;
  /** Undefined where the data is not compressed. */
  readonly codec: Codec | undefined;
  readonly cpus: readonly CpuData[];
}

/** Time stamps of a clock that counts cycles: ns = stamp * mult >> shift. */
export interface CycleScale {
  readonly mult: number;
  readonly shift: number;
}

/** What a trace.dat says of itself: everything but the records. */
export interface DatFile {
  readonly version: 6 | 7;
  readonly littleEndian: boolean;
  /** Bytes of a page of the recorded machine. */
  readonly pageBytes: number;
  readonly formats: readonly EventFormat[];
  readonly buffers: readonly DatBuffer[];
  readonly cpus: number;
  /** `Linux host 6.12.107 x86_64`; empty if not recorded. */
  readonly uname: string;
  readonly scale: CycleScale | undefined;
  /** Added to every time stamp, in ns. */
  readonly timeOffset: number;
  /** Per CPU, what the kernel counted: `entries`, `overrun`, ... */
  readonly statistics: readonly string[];
  /** Version of trace-cmd; empty if not recorded. */
  readonly recorder: string;
  /** Threads of the kernel's workers, by their names. */
  readonly kernelWorkers: ReadonlySet<number>;
  /** Parts that could not be read, by what and where. */
  readonly damages: readonly { readonly what: string; readonly offset: number }[];
  /** Options and sections of kinds that are not known, by number. */
  readonly unknown: readonly number[];
}
