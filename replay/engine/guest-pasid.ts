import type { Trace } from '../../traces/trace.ts';
import { guestPasid } from '../model/iommufd/pasid-capability.ts';
import type { ExtendedCapability, GuestPasid, PciFunction } from '../model/iommufd/pasid-capability.ts';
import { CONFIG_BYTES, PASID, readConfigSpaces } from './config-spaces.ts';
import type { ConfigSpace } from './config-spaces.ts';

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
/** Devices whose config space was read, or whose PASIDs were asked for. */
export function findPasids(trace: Trace): DevicePasid[] {
  return [...readConfigSpaces(trace)].map(([file, space]) => pasidOf(file, space));
}

function pasidOf(file: string, space: ConfigSpace): DevicePasid {
  const { view, bits } = space;
  const hex = (value: number): string => value.toString(16).padStart(4, '0');
  const pci = space.whole(0, 4) ? `${hex(view.u16(0))}:${hex(view.u16(2))}` : null;
  const capabilities = extendedCapabilities(space);
  if (capabilities === undefined)
    return { file, pci, bits, guest: bits === 0 ? { kind: 'none' } : null, insertable: null };
  const own = capabilities.find(({ id }) => id === PASID.id);
  // Width in the capability register (PCIe 7.8.9.2); VFIO hides the capability, and then only GET_HW_INFO tells.
  const width = own !== undefined && space.whole(own.offset + 4, 2) ? (view.u16(own.offset + 4) >> 8) & 31 : undefined;
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

/** Undefined where a header was not read. */
function extendedCapabilities(space: ConfigSpace): ExtendedCapability[] | undefined {
  const { starts, complete } = space.capabilityHeaders();
  if (!complete) return undefined;
  return starts.map(({ id, offset }) => {
    const next = Math.min(...starts.map((other) => other.offset).filter((other) => other > offset), CONFIG_BYTES);
    const size = SIZES.get(id) ?? (next < CONFIG_BYTES ? next - offset : UNKNOWN_SIZE);
    return { id, offset, bytes: Math.min(size, next - offset) };
  });
}
