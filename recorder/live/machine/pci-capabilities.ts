/** What a PCI function's config space says of address translation (PCI Express base specification 7.8, 7.7.6, 7.7.8, 9.3.3). */

export interface AtsCapability {
  readonly enabled: boolean;
  /** Invalidations that the device holds at once, 1 to 32. */
  readonly queueDepth: number;
  /** Smallest translation unit: log2 of its bytes. */
  readonly unitShift: number;
  readonly pageAlignedRequest: boolean;
  readonly globalInvalidate: boolean;
}

export interface PriCapability {
  readonly enabled: boolean;
  /** Page requests that the device can have outstanding, and how many it was allowed. */
  readonly capacity: number;
  readonly allocation: number;
  /** Responses carry the PASID of the request. */
  readonly responsePasid: boolean;
}

export interface PasidCapability {
  readonly enabled: boolean;
  /** Bits of a PASID. */
  readonly width: number;
  readonly execute: boolean;
  readonly privileged: boolean;
}

export interface SriovCapability {
  readonly enabled: boolean;
  readonly totalVfs: number;
  readonly vfs: number;
  readonly firstVfOffset: number;
  readonly vfStride: number;
}

/** A capability that the function lacks is null. */
export interface PciCapabilities {
  readonly ats: AtsCapability | null;
  readonly pri: PriCapability | null;
  readonly pasid: PasidCapability | null;
  readonly sriov: SriovCapability | null;
}

const EXTENDED = 0x100;
/** Extended capabilities start here, and config space ends there: so many fit at most. */
const MAX_CAPABILITIES = (4096 - EXTENDED) / 8;
const ATS = 0x0f;
const SRIOV = 0x10;
const PRI = 0x13;
const PASID = 0x1b;

/**
 * Reads the extended capabilities of a config space of up to 4096 bytes. Undefined where it has none of its extended part:
 * an unprivileged reader is given 64 bytes, and conventional PCI has 256.
 */
export function parsePciCapabilities(config: Uint8Array): PciCapabilities | undefined {
  if (config.length < EXTENDED + 4) return undefined;
  const view = new DataView(config.buffer, config.byteOffset, config.length);
  const found = new Map<number, number>();
  let at = EXTENDED;
  for (let i = 0; i < MAX_CAPABILITIES && at >= EXTENDED && at + 4 <= config.length; i++) {
    const head = view.getUint32(at, true);
    // No capability, or a device that does not answer.
    if (head === 0 || head === 0xffffffff) break;
    const id = head & 0xffff;
    if (!found.has(id)) found.set(id, at);
    at = (head >>> 20) & 0xffc;
  }
  const place = (id: number, bytes: number): number | undefined => {
    const offset = found.get(id);
    return offset !== undefined && offset + bytes <= config.length ? offset : undefined;
  };
  return {
    ats: readAts(view, place(ATS, 8)),
    pri: readPri(view, place(PRI, 16)),
    pasid: readPasid(view, place(PASID, 8)),
    sriov: readSriov(view, place(SRIOV, 0x40)),
  };
}

function readAts(view: DataView, at: number | undefined): AtsCapability | null {
  if (at === undefined) return null;
  const capability = view.getUint16(at + 4, true);
  const control = view.getUint16(at + 6, true);
  return {
    enabled: (control & 0x8000) !== 0,
    // 0 stands for 32.
    queueDepth: (capability & 31) === 0 ? 32 : capability & 31,
    unitShift: 12 + (control & 31),
    pageAlignedRequest: (capability & 0x20) !== 0,
    globalInvalidate: (capability & 0x40) !== 0,
  };
}

function readPri(view: DataView, at: number | undefined): PriCapability | null {
  if (at === undefined) return null;
  return {
    enabled: (view.getUint16(at + 4, true) & 1) !== 0,
    capacity: view.getUint32(at + 8, true),
    allocation: view.getUint32(at + 12, true),
    responsePasid: (view.getUint16(at + 6, true) & 0x8000) !== 0,
  };
}

function readPasid(view: DataView, at: number | undefined): PasidCapability | null {
  if (at === undefined) return null;
  const capability = view.getUint16(at + 4, true);
  return {
    enabled: (view.getUint16(at + 6, true) & 1) !== 0,
    width: (capability >>> 8) & 31,
    execute: (capability & 2) !== 0,
    privileged: (capability & 4) !== 0,
  };
}

function readSriov(view: DataView, at: number | undefined): SriovCapability | null {
  if (at === undefined) return null;
  return {
    enabled: (view.getUint16(at + 8, true) & 1) !== 0,
    totalVfs: view.getUint16(at + 0x0e, true),
    vfs: view.getUint16(at + 0x10, true),
    firstVfOffset: view.getUint16(at + 0x14, true),
    vfStride: view.getUint16(at + 0x16, true),
  };
}
