import { isVfioDevice } from '../../traces/ioctl-requests.ts';
import { CALL_EVENT } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { guestPasid } from '../model/iommufd/pasid-capability.ts';
import type { ExtendedCapability, GuestPasid, PciFunction } from '../model/iommufd/pasid-capability.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { VFIO } from '../model/iommufd/vfio/requests.ts';
import { bytesOf, callEvents, signed, unsigned } from './ioctl-events.ts';

/** What a recording shows of a VFIO device's PASIDs. */
export interface DevicePasid {
  /** Kind of file, and which of the recording's. */
  readonly file: string;
  /** PCI ids, as `8086:10d3`; null: not seen. */
  readonly pci: string | null;
  /** log2 of the PASIDs that GET_HW_INFO gave; null: not asked. */
  readonly bits: number | null;
  /** How a guest that is given this config space finds PASID; null: too little of it was read. */
  readonly guest: GuestPasid | null;
  /** Where a VMM could insert a capability: the end of config space, if that is free; null: it is not, or not known. */
  readonly insertable: number | null;
}

const HW_INFO = 0x3b8a;
/** Config space is region 7, at 7 << 40 of the device's file (VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_OFFSET_SHIFT). */
const CONFIG = 7 * 2 ** 40;
const CONFIG_BYTES = 4096;
const EXTENDED = 0x100;
const PASID = { id: 0x1b, bytes: 8 } as const;
/** Bytes of extended capabilities (PCIe 7.8, 7.9); others count as far as the next one, the last as 64. */
const SIZES: ReadonlyMap<number, number> = new Map([
  [0x01, 0x48],
  [0x03, 0x0c],
  [0x0d, 0x08],
  [0x0e, 0x08],
  [0x0f, 0x08],
  [0x10, 0x40],
  [0x13, 0x10],
  [0x18, 0x08],
  [PASID.id, PASID.bytes],
  [0x1e, 0x10],
]);
const UNKNOWN_SIZE = 64;
/** Files told apart. */
const MAX_FILES = 1000;

interface Seen {
  readonly bytes: Uint8Array;
  readonly known: Uint8Array;
  bits: number | null;
}

/** Devices whose config space was read, or whose PASIDs were asked for. */
export function findPasids(trace: Trace): DevicePasid[] {
  const files = new Map<string, Seen>();
  const seenOf = (file: string): Seen => {
    let seen = files.get(file) ?? (files.size >= MAX_FILES ? files.values().next().value : undefined);
    if (seen === undefined) {
      seen = { bytes: new Uint8Array(CONFIG_BYTES), known: new Uint8Array(CONFIG_BYTES), bits: null };
      files.set(file, seen);
    }
    return seen;
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
        const id = after.u32(8);
        const file = bound.get(id);
        if (file !== undefined) seenOf(file).bits = after.bytes[28] ?? 0;
      }
    } else if (stream === 'call') {
      const { columns } = segment.rows.call;
      if (columns.event[row] !== CALL_EVENT.syscall || columns.errno[row] !== 0) continue;
      const path = trace.strings[columns.path[row] ?? -1];
      if (trace.strings[columns.name[row] ?? -1] !== 'pread64' || !isVfioDevice(path)) continue;
      const at = unsigned(columns.a3Lo, columns.a3Hi, row) - CONFIG;
      const data = bytesOf(columns.data, row).subarray(0, Math.max(0, signed(columns.retLo, columns.retHi, row)));
      if (at < 0 || at + data.length > CONFIG_BYTES || data.length === 0) continue;
      const { bytes, known } = seenOf(nameOf(path, columns.fd[row] ?? -1));
      bytes.set(data, at);
      known.fill(1, at, at + data.length);
    }
  }
  return [...files].map(([file, seen]) => pasidOf(file, seen));
}

function nameOf(path: string | undefined, fd: number): string {
  return path?.startsWith('/dev/') === true || fd < 0 ? (path ?? '?') : `${path ?? '?'} fd ${fd}`;
}

function pasidOf(file: string, { bytes, known, bits }: Seen): DevicePasid {
  const view = new StructView(bytes);
  const whole = (at: number, length: number): boolean => known.subarray(at, at + length).every((byte) => byte === 1);
  const hex = (value: number): string => value.toString(16).padStart(4, '0');
  const pci = whole(0, 4) ? `${hex(view.u16(0))}:${hex(view.u16(2))}` : null;
  const capabilities = extendedCapabilities(view, whole);
  if (capabilities === undefined)
    return { file, pci, bits, guest: bits === 0 ? { kind: 'none' } : null, insertable: null };
  const own = capabilities.find(({ id }) => id === PASID.id);
  // Width in the capability register (PCIe 7.8.9.2); VFIO hides the capability, and then only GET_HW_INFO tells.
  const width = own !== undefined && whole(own.offset + 4, 2) ? (view.u16(own.offset + 4) >> 8) & 31 : undefined;
  const pasidBits = bits ?? width;
  if (pasidBits === undefined && own === undefined) return { file, pci, bits, guest: null, insertable: null };
  const seen: PciFunction = { vendor: view.u16(0), device: view.u16(2), capabilities };
  const { vendor, device } = seen;
  const physical = { vendor, device, capabilities: [{ id: PASID.id, offset: 0, bytes: 0 }], pasidBits: pasidBits ?? 0 };
  const shown: PciFunction = { ...seen, physical };
  const end = { vendor, device, offset: CONFIG_BYTES - PASID.bytes };
  const inserted = guestPasid(shown, [end]);
  return {
    file,
    pci,
    bits,
    guest: guestPasid(shown, []),
    insertable: inserted.kind === 'inserted' ? inserted.offset : null,
  };
}

/** The list from 0x100 on: {16 bits id, 4 version, 12 next}; undefined where a header was not read. */
function extendedCapabilities(
  view: StructView,
  whole: (at: number, length: number) => boolean,
): ExtendedCapability[] | undefined {
  const starts: { readonly id: number; readonly offset: number }[] = [];
  for (let at = EXTENDED; at >= EXTENDED && at + 4 <= CONFIG_BYTES && starts.length < CONFIG_BYTES / 4; ) {
    if (!whole(at, 4)) return undefined;
    const header = view.u32(at);
    if (header === 0 || header === 0xffff_ffff) break;
    if (starts.some(({ offset }) => offset === at)) break;
    starts.push({ id: header & 0xffff, offset: at });
    at = (header >>> 20) & 0xffc;
  }
  return starts.map(({ id, offset }) => {
    const next = Math.min(...starts.map((other) => other.offset).filter((other) => other > offset), CONFIG_BYTES);
    const size = SIZES.get(id) ?? (next < CONFIG_BYTES ? next - offset : UNKNOWN_SIZE);
    return { id, offset, bytes: Math.min(size, next - offset) };
  });
}
