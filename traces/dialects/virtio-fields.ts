/**
 * virtio-iommu requests on int32 words, for hot loops: no object, no BigInt. A request is no fixed layout of 64-bit words, so a
 * trace holds its fields: w0 type (bits 7:0), flags (31:8) and domain (63:32); w1 the first address, or the endpoint of
 * ATTACH, DETACH and PROBE; w2 the last address (inclusive); w3 the first physical address. Virtio 1.2, 5.13.6.
 */

export const VIRTIO_REQUEST = { attach: 1, detach: 2, map: 3, unmap: 4, probe: 5 } as const;

/** Flags of MAP. */
export const VIRTIO_MAP = { read: 1, write: 2, mmio: 4 } as const;

export function virtioRequest(w0Lo: number): number {
  return w0Lo & 0xff;
}

/** Flags of ATTACH (1: bypass) and MAP. */
export function virtioFlags(w0Lo: number): number {
  return w0Lo >>> 8;
}

/** Domain, 32 bits, unsigned. */
export function virtioDomain(w0Hi: number): number {
  return w0Hi >>> 0;
}

/** Endpoint of ATTACH, DETACH and PROBE, 32 bits, unsigned. */
export function virtioEndpoint(w1Lo: number): number {
  return w1Lo >>> 0;
}

/** First 4 KiB page of MAP and UNMAP from w1, or last one from w2, exact. */
export function virtioPage(lo: number, hi: number): number {
  return (hi >>> 0) * 0x100000 + (lo >>> 12);
}
