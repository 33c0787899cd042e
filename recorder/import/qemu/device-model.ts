import type { EventSink } from '../../../traces/trace.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import type { ImportHeader } from '../importer.ts';

/**
 * What became of a line: an event, part of another line's event, known but not carried, not of its shape, of an event that is not
 * known, or known and about the remapping of interrupts.
 */
export const LINE = { event: 0, folded: 1, ignored: 2, malformed: 3, unknown: 4, interrupt: 5 } as const;

/** One line of QEMU's log as a device model sees it. One object is reused for all lines. */
export interface QemuLine {
  readonly cursor: ByteCursor;
  readonly sink: EventSink;
  readonly source: number;
  /** Nanoseconds since the log's first time stamp; the line's number in a log without time stamps. */
  time: number;
  /** Thread id, -1 if the log doesn't say. */
  task: number;
}

/** Its state while a log is read. */
export interface DeviceModelRun {
  /** Reads the event whose name is at these bytes; the line's cursor stands at its text. Returns a `LINE` value. */
  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number;
  /** The log is over. Lines that waited for another line in vain, by what they were. */
  end(line: QemuLine): ReadonlyMap<string, number>;
}

/** A part of QEMU whose events are understood: an emulated IOMMU, or the use of the host's. */
export interface DeviceModel {
  /** Its events, and no others, begin with one of these. */
  readonly prefixes: readonly string[];
  /** `TraceHost.iommu`; left out where none is emulated. */
  readonly iommu?: string;
  readonly fidelity: ImportHeader['fidelity'];
  create(): DeviceModelRun;
}

export function beginsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}
