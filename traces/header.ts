import type { HealthReport } from './health.ts';
import type { StreamName } from './schema.ts';

/** Newest version of the format that this code reads and the one that it writes. History: docs/format.md. */
export const FORMAT_VERSION = 4;

/** How much of a stream the source could see: all of it, or a part. A stream that is not named could not be seen at all. */
export type Fidelity = 'full' | 'partial';

/** Where events came from. Events carry the index of their source. */
export interface TraceSource {
  /** Importer, live source or workload that made the events: `ftrace-text`, `qemu-log`, ... */
  readonly format: string;
  /** Program and version as far as known: `QEMU`, `Linux 6.12`. Never a path or an argument list. */
  readonly producer: string;
  /** What it could see, where several sources recorded together. */
  readonly fidelity?: TraceHeader['fidelity'];
}

/** What is known of the machine that was recorded. */
export interface TraceHost {
  readonly kernel?: string;
  readonly cpus?: number;
  readonly pageSize?: number;
  /** RLIMIT_MEMLOCK in bytes of the recorded processes when they began, where the source tells. */
  readonly memlock?: number;
  /** `vtd`, `smmuv3`, `amd`, `virtio`, `riscv`. */
  readonly iommu?: string;
  /** True where the IOMMU was emulated, so that the time of a device's access is the emulator's. */
  readonly emulated?: boolean;
}

/** The clock of a trace's times. */
export interface TraceClock {
  /** Nanoseconds of the source's clock at time 0 of the trace, as a decimal string (it may exceed 2^53). */
  readonly epochNs: string;
  /** `boot`, `realtime`, `mono`, ... or `unknown`. */
  readonly name: string;
  /** Step of the source's time stamps in ns: 1000 for tracefs text. */
  readonly resolutionNs: number;
}

/** Known before the first event; written first. */
export interface TraceHeader {
  readonly formatVersion: number;
  readonly tool: string;
  readonly toolVersion: string;
  readonly sources: readonly TraceSource[];
  readonly host: TraceHost;
  /** What a live recorder found out about its machine (IOMMU units with registers, groups, devices); plain data. */
  readonly machine?: object;
  readonly clock: TraceClock;
  readonly fidelity: { readonly [S in StreamName]?: Fidelity };
  /** So many events at the start were not seen there: they carry in what held when the trace was cut out of a longer one. */
  readonly carried?: number;
}

/** Known after the last event; written last, lost if the recorder was killed. */
export interface TraceSummary {
  readonly health: HealthReport;
  /** What an importer found out about the whole: clock fit, attribution, seeds. Plain data, shown by `info`. */
  readonly notes: { readonly [name: string]: unknown };
}

/** Of a trace that lost nothing. */
export const EMPTY_HEALTH: HealthReport = {
  malformed: 0,
  unknown: 0,
  lost: 0,
  truncated: 0,
  ignored: 0,
  entries: [],
};
