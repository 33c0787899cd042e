import type { EventSink } from '../../../traces/trace.ts';
import type { ByteCursor } from '../byte-cursor.ts';

/** What became of a line: an event, part of another line's event, known but not carried, or not of its shape. */
export const LINE = { event: 0, folded: 1, ignored: 2, malformed: 3 } as const;

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

/** One emulated IOMMU's state while its log is read. */
export interface DeviceModelRun {
  /** Reads the event whose name is at these bytes; the line's cursor stands at its text. Returns a `LINE` value. */
  parse(line: QemuLine, bytes: Uint8Array, nameStart: number, nameEnd: number): number;
  /** Lines that waited for another line in vain, by what they were. */
  end(): ReadonlyMap<string, number>;
}

/** One emulated IOMMU: its events all begin with `prefix`. */
export interface DeviceModel {
  readonly prefix: string;
  /** `TraceHost.iommu`. */
  readonly iommu: string;
  create(): DeviceModelRun;
}
