/** F&S: Fast & Safe IO Memory Protection (SOSP 2024), as published. */
export const RING_NIC_SOURCE =
  'F&S, SOSP 2024, doi 10.1145/3694715.3695943: Linux 6.0, Xeon Gold 6234, ConnectX-5 at 100 Gb/s, 4 KiB MTU, 64-page descriptors, ' +
  'ring 256, 5 cores';

/** Linux strict, per 4 KiB page received. Walk caches by the bytes that an entry covers: L1 2^39, L2 2^30, L3 2^21. */
export interface PerPage {
  readonly flows: number;
  readonly iotlbMisses: number;
  readonly l1Misses: number;
  readonly l2Misses: number;
  readonly l3Misses: number;
  /** The sum of the four. */
  readonly memoryReads: number;
}

export const STRICT_PER_PAGE: readonly PerPage[] = [
  { flows: 5, iotlbMisses: 1.3, l1Misses: 0.05, l2Misses: 0.05, l3Misses: 0.36, memoryReads: 1.76 },
  { flows: 40, iotlbMisses: 2.2, l1Misses: 0.63, l2Misses: 0.63, l3Misses: 0.9, memoryReads: 4.36 },
];

/** Their proposal, per page: largest that was reported. */
export const CONTIGUOUS_L3_MISSES = 0.054;
/** Invalidation-queue entries for each descriptor, before and after. */
export const ENTRIES_PER_DESCRIPTOR: readonly [number, number] = [64, 1];

/** T = p / (l0 + M x lm): p bits of a page, M memory reads per page; both times in ns, fitted by the authors. */
export const THROUGHPUT = { pageBits: 32_768, l0: 65, lm: 197 };
