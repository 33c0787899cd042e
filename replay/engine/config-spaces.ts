import { isVfioDevice } from '../../traces/ioctl-requests.ts';
import { CALL_EVENT } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { VFIO } from '../model/iommufd/vfio/requests.ts';
import { bytesOf, callEvents, signed, unsigned } from './ioctl-events.ts';

const HW_INFO = 0x3b8a;
/** Config space is region 7, at 7 << 40 of the device's file (VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_OFFSET_SHIFT). */
const CONFIG = 7 * 2 ** 40;
export const CONFIG_BYTES = 4096;
const EXTENDED = 0x100;
export const PASID = { id: 0x1b, bytes: 8 } as const;
/** Files told apart. */
const MAX_FILES = 1000;

/** What calls read of a device's config space. */
export class ConfigSpace {
  readonly view: StructView = new StructView(new Uint8Array(CONFIG_BYTES));
  readonly #known = new Uint8Array(CONFIG_BYTES);
  /** log2 of the PASIDs that GET_HW_INFO gave; null: not asked. */
  bits: number | null = null;

  set(at: number, data: Uint8Array): void {
    this.view.bytes.set(data, at);
    this.#known.fill(1, at, at + data.length);
  }

  /** Was all of it read? */
  whole(at: number, length: number): boolean {
    return this.#known.subarray(at, at + length).every((byte) => byte === 1);
  }

  /** The list of extended capabilities from 0x100 on: {16 bits id, 4 version, 12 next}; `complete`: each header was read. */
  capabilityHeaders(): { starts: { readonly id: number; readonly offset: number }[]; complete: boolean } {
    const starts: { readonly id: number; readonly offset: number }[] = [];
    for (let at = EXTENDED; at >= EXTENDED && at + 4 <= CONFIG_BYTES && starts.length < CONFIG_BYTES / 4; ) {
      if (!this.whole(at, 4)) return { starts, complete: false };
      const header = this.view.u32(at);
      if (header === 0 || header === 0xffff_ffff) break;
      if (starts.some(({ offset }) => offset === at)) break;
      starts.push({ id: header & 0xffff, offset: at });
      at = (header >>> 20) & 0xffc;
    }
    return { starts, complete: true };
  }
}

/** Bytes of config space that a call has read. */
export interface ConfigRead {
  readonly file: string;
  /** Byte of config space. */
  readonly at: number;
  /** A view of the row's. */
  readonly data: Uint8Array;
}

/** The bytes of config space that a row of `call` has read. */
export function configRead({ rows }: Segment, row: number, strings: readonly string[]): ConfigRead | undefined {
  const { columns } = rows.call;
  if (columns.event[row] !== CALL_EVENT.syscall || columns.errno[row] !== 0) return undefined;
  const path = strings[columns.path[row] ?? -1];
  if (strings[columns.name[row] ?? -1] !== 'pread64' || !isVfioDevice(path)) return undefined;
  const at = unsigned(columns.a3Lo, columns.a3Hi, row) - CONFIG;
  const data = bytesOf(columns.data, row).subarray(0, Math.max(0, signed(columns.retLo, columns.retHi, row)));
  if (at < 0 || at + data.length > CONFIG_BYTES || data.length === 0) return undefined;
  return { file: nameOf(path, columns.fd[row] ?? -1), at, data };
}

/** Devices whose config space was read, or whose PASIDs were asked for; by kind of file, and which of the recording's. */
export function readConfigSpaces(trace: Trace): ReadonlyMap<string, ConfigSpace> {
  const files = new Map<string, ConfigSpace>();
  const spaceOf = (file: string): ConfigSpace => {
    let space = files.get(file) ?? (files.size >= MAX_FILES ? files.values().next().value : undefined);
    if (space === undefined) {
      space = new ConfigSpace();
      files.set(file, space);
    }
    return space;
  };
  /** By id on the iommufd: the file that was bound. */
  const bound = new Map<number, string>();
  for (const { stream, row, segment } of callEvents(trace)) {
    if (stream === 'ioctl') {
      const { columns } = segment.rows.ioctl;
      if (columns.errno[row] !== 0) continue;
      const path = trace.strings[columns.path[row] ?? -1];
      const after = new StructView(bytesOf(columns.after, row));
      if (columns.request[row] === VFIO.bindIommufd && isVfioDevice(path) && after.bytes.length >= 16) {
        bound.set(after.u32(12), nameOf(path, columns.fd[row] ?? -1));
      } else if (columns.request[row] === HW_INFO && after.bytes.length >= 32) {
        const file = bound.get(after.u32(8));
        if (file !== undefined) spaceOf(file).bits = after.bytes[28] ?? 0;
      }
    } else if (stream === 'call') {
      const read = configRead(segment, row, trace.strings);
      if (read !== undefined) spaceOf(read.file).set(read.at, read.data);
    }
  }
  return files;
}

function nameOf(path: string | undefined, fd: number): string {
  return path?.startsWith('/dev/') === true || fd < 0 ? (path ?? '?') : `${path ?? '?'} fd ${fd}`;
}
