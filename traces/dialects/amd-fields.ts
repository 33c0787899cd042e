/**
 * AMD IOMMU commands on int32 words, for hot loops: no object, no BigInt. A command is four 32-bit words, here the halves of
 * the trace's w0 and w1. Layout: AMD I/O Virtualization Technology specification (48882) 2.4, drivers/iommu/amd/amd_iommu_types.h.
 */

/** Command code, bits 31:28 of the second 32-bit word. */
export const AMD_COMMAND = {
  completionWait: 1,
  devtabEntry: 2,
  pages: 3,
  iotlbPages: 4,
  interruptTable: 5,
  prefetch: 6,
  completePpr: 7,
  all: 8,
} as const;

export function amdCommand(w0Hi: number): number {
  return w0Hi >>> 28;
}

/** Requester id of the commands that name a device: 2, 4, 5, 6 and 7. */
export function amdDevice(w0Lo: number): number {
  return w0Lo & 0xffff;
}

/** Domain id of INVALIDATE_IOMMU_PAGES. */
export function amdDomain(w0Hi: number): number {
  return w0Hi & 0xffff;
}

/** PASID of INVALIDATE_IOMMU_PAGES; means something where `amdGuest`. */
export function amdPagesPasid(w0Lo: number): number {
  return w0Lo & 0xfffff;
}

/** PASID of INVALIDATE_IOTLB_PAGES, which holds it in three pieces; means something where `amdGuest`. */
export function amdIotlbPasid(w0Lo: number, w0Hi: number): number {
  return ((w0Hi >>> 16) & 0xff) | ((w0Lo >>> 8) & 0xff00) | ((w0Hi >>> 8) & 0xf0000);
}

/** PASID of PREFETCH_IOMMU_PAGES and COMPLETE_PPR_REQUEST. */
export function amdPasid(w0Hi: number): number {
  return w0Hi & 0xfffff;
}

/** Invalidations that may be outstanding at the device, of INVALIDATE_IOTLB_PAGES. */
export function amdQueueDepth(w0Lo: number): number {
  return w0Lo >>> 24;
}

/** Queue id of INVALIDATE_IOTLB_PAGES. */
export function amdQueueId(w0Hi: number): number {
  return w0Hi & 0xffff;
}

/** S: the address holds a size code. */
export function amdSize(w1Lo: number): boolean {
  return (w1Lo & 1) !== 0;
}

/** PDE of INVALIDATE_IOMMU_PAGES: cached page-directory entries go too. */
export function amdPde(w1Lo: number): boolean {
  return (w1Lo & 2) !== 0;
}

/** GN: guest translations (by PASID) are meant, not nested ones. */
export function amdGuest(w1Lo: number): boolean {
  return (w1Lo & 4) !== 0;
}

/** First 4 KiB page that an address with size code names, exact. 0 where everything is meant. */
export function amdFirstPage(order: number, w1Lo: number, w1Hi: number): number {
  if (order >= 52) return 0;
  const page = (w1Hi >>> 0) * 0x100000 + (w1Lo >>> 12);
  return page - (page % 2 ** order);
}

/** COMPLETION_WAIT: S stores the data at the address, I interrupts, F lets no later command start before. */
export function amdWaitStores(w0Lo: number): boolean {
  return (w0Lo & 1) !== 0;
}

export function amdWaitInterrupts(w0Lo: number): boolean {
  return (w0Lo & 2) !== 0;
}

export function amdWaitFlushes(w0Lo: number): boolean {
  return (w0Lo & 4) !== 0;
}

/** High half of COMPLETION_WAIT's store address; the low half is the first word without its three flag bits. */
export function amdStoreHigh(w0Hi: number): number {
  return w0Hi & 0xfffff;
}

/** Completion tag of COMPLETE_PPR_REQUEST (10 bits; the group is in the low 9). */
export function amdPprTag(w1Hi: number): number {
  return w1Hi & 0x3ff;
}

/** Answer of COMPLETE_PPR_REQUEST: 0 success, 1 invalid request, 15 failure. */
export function amdPprStatus(w1Hi: number): number {
  return (w1Hi >>> 12) & 0xf;
}
