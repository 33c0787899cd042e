/**
 * PASID as a guest can find it. PCIe defines the capability for physical functions only; a virtual function has what its
 * physical function has (drivers/pci/ats.c, pci_max_pasids), and nothing in its own config space says so.
 */

/** Extended capability id of PASID, and the bytes that it takes (PCIe 7.8.9). */
const PASID_CAPABILITY = 0x1b;
const PASID_BYTES = 8;
const EXTENDED_START = 0x100;
const EXTENDED_END = 0x1000;

export interface ExtendedCapability {
  readonly id: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface PciFunction {
  readonly vendor: number;
  readonly device: number;
  /** Of a virtual function: what it belongs to. */
  readonly physical?: PciFunction;
  readonly capabilities: readonly ExtendedCapability[];
  /** Parts of extended config space that hold something else, though no capability says so. */
  readonly used?: readonly { readonly offset: number; readonly bytes: number }[];
  /** log2 of the PASIDs, in a physical function's capability. */
  readonly pasidBits?: number;
}

/** A function into whose config space a VMM may put a PASID capability. */
export interface PasidQuirk {
  readonly vendor: number;
  readonly device: number;
  readonly offset: number;
}

/** How a guest finds PASID; `hidden`: it is there and the guest can't know. */
export type GuestPasid =
  | { readonly kind: 'none' }
  | { readonly kind: 'own' | 'inserted'; readonly bits: number; readonly offset: number }
  | { readonly kind: 'hidden'; readonly bits: number; readonly why: string };

/** log2 of the PASIDs that a function can send; 0: none. */
export function pasidBitsOf(pci: PciFunction): number {
  const owner = pci.physical ?? pci;
  return owner.capabilities.some(({ id }) => id === PASID_CAPABILITY) ? (owner.pasidBits ?? 0) : 0;
}

export function guestPasid(pci: PciFunction, quirks: readonly PasidQuirk[]): GuestPasid {
  const bits = pasidBitsOf(pci);
  if (bits === 0) return { kind: 'none' };
  const own = pci.capabilities.find(({ id }) => id === PASID_CAPABILITY);
  if (own !== undefined) return { kind: 'own', bits, offset: own.offset };
  const quirk = quirks.find(({ vendor, device }) => vendor === pci.vendor && device === pci.device);
  if (quirk === undefined) return { kind: 'hidden', bits, why: 'no quirk says where a capability may be put' };
  const { offset } = quirk;
  if (offset % 4 !== 0 || offset < EXTENDED_START || offset + PASID_BYTES > EXTENDED_END) {
    return { kind: 'hidden', bits, why: 'the quirk’s offset is not in extended config space' };
  }
  const taken = [...pci.capabilities, ...(pci.used ?? [])].some(
    (part) => part.offset < offset + PASID_BYTES && part.offset + part.bytes > offset,
  );
  if (taken) return { kind: 'hidden', bits, why: 'config space at the quirk’s offset is not free' };
  return { kind: 'inserted', bits, offset };
}
