/**
 * Queued-invalidation descriptors of VT-d on int32 words, for hot loops: no object, no BigInt. Layout: VT-d spec 6.5.2,
 * drivers/iommu/intel/iommu.h (QI_*).
 */

/** Descriptor type, bits 3:0 of the first word; bits 11:9 continue it and are 0 for all of these. */
export const VTD_TYPE = {
  context: 1,
  iotlb: 2,
  deviceTlb: 3,
  interrupt: 4,
  wait: 5,
  pasidIotlb: 6,
  pasidCache: 7,
  pasidDeviceTlb: 8,
  pageResponse: 9,
  streamResponse: 10,
} as const;

/** Names by type number, as `cat`, results and divergences print them. */
export const VTD_TYPE_NAMES = [
  'undefined',
  'context',
  'iotlb',
  'devtlb',
  'iec',
  'wait',
  'pasid-iotlb',
  'pasid-cache',
  'pasid-devtlb',
  'page-response',
  'stream-response',
] as const;

/** Granularity of IOTLB, PASID-IOTLB and context-cache descriptors, bits 5:4 of the first word. */
export const VTD_GRANULARITY = { global: 1, domain: 2, page: 3, device: 3, pasid: 2 } as const;

/** Type number from the low half of the first word: 1 to 10, or 0 for a type that does not exist. */
export function vtdType(w0Lo: number): number {
  const type = (w0Lo & 0xf) | ((w0Lo >>> 5) & 0x70);
  return type > 10 ? 0 : type;
}

export function vtdGranularity(w0Lo: number): number {
  return (w0Lo >>> 4) & 3;
}

/** Domain id of context, IOTLB, PASID-IOTLB and PASID-cache descriptors. */
export function vtdDomain(w0Lo: number): number {
  return w0Lo >>> 16;
}

/** PASID of PASID-IOTLB, PASID-cache, PASID-device-TLB and page-response descriptors. */
export function vtdPasid(w0Hi: number): number {
  return w0Hi & 0xfffff;
}

/** Address mask of IOTLB descriptors: 2^m pages. */
export function vtdAddressMask(w1Lo: number): number {
  return w1Lo & 0x3f;
}

/** True where only leaf entries changed, so that paging-structure caches stay. */
export function vtdInvalidationHint(w1Lo: number): boolean {
  return (w1Lo & 0x40) !== 0;
}

/**
 * Order of a device-TLB range, log2 of its 4 KiB pages: 0 without the S bit; else 1 + the number of consecutive ones from
 * address bit 12 upward. 52 or more means everything.
 */
export function sizeCodeOrder(size: boolean, w1Lo: number, w1Hi: number): number {
  if (!size) return 0;
  const low = ~((w1Lo >>> 12) | (w1Hi << 20));
  if (low !== 0) return 1 + trailingZeros(low);
  const high = ~(w1Hi >>> 12) & 0xfffff;
  return high === 0 ? 53 : 33 + trailingZeros(high);
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}
