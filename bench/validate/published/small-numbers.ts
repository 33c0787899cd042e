/** Single figures, each with where it was read. */
export const SMALL_NUMBERS_SOURCE =
  'Linux 6.12 and 6.19 commit messages and kernel mailing list (2024, 2025), a vendor kernel pull request (2025), vIOMMU (ATC 2011), ' +
  'VIO (OSDI 2025), Linux 7.2 source';

/** ns for 256 x 4 KiB in one call: the generic page table, and the code before it (Linux 6.19 commit messages). */
export const MAP_256 = {
  amdV1: { generic: 381, before: 1833 },
  vtdSecondStage: { generic: 384, before: 524 },
} as const;
export const UNMAP_256 = { vtdSecondStage: { generic: 216, before: 335 } } as const;

/** tegra241-cmdqv, Linux 6.12: less invalidation time in a guest whose queue is the hardware's than with a trapped one. */
export const DIRECT_QUEUE_SAVES: readonly [number, number] = [0.7, 0.9];
/** The same commit: many queues in the kernel against one. */
export const MANY_QUEUES_SAVE: readonly [number, number] = [0, 0.2];

/** 4 KiB random reads on a Grace server, million a second (vendor kernel pull request, 2025). */
export const GRACE_READS = { passthrough: 16.5, lazy: 16.4, strict: 2.8 } as const;
/** Cores of one Grace processor (its data sheet). */
export const GRACE_CORES = 72;

/** VT-d: IOTLB and device-TLB commands in one submission, cycles less (kernel mailing list, 2024). */
export const BATCHING_SAVES_CYCLES = 800;

/** 2 MiB unmapped as 4 KiB pages without range invalidation (kernel mailing list, 2025): commands, and a queue's entries. */
export const PAGEWISE = { commands: 512, queueEntries: 256, fills: 2 } as const;

/** vIOMMU (ATC 2011): share of 10 Gb/s that is reached. */
export const VIOMMU_SHARE = { deferred: 0.91, strict: 0.43 } as const;

/** VIO (OSDI 2025): page request to response, ns; cost against a fault of the CPU. */
export const PAGE_REQUEST = { responseNs: 700_000, againstCpuFault: [3, 80] } as const;

/** Linux 7.2 source. */
export const LINUX_CONSTANTS = {
  flushQueueEntries: 256,
  flushQueueTimeoutMs: 10,
  singleQueueEntries: 32_768,
  singleQueueTimeoutMs: 1000,
  vtdQueue: 256,
  vtdBatch: 16,
  pageRequestQueue: 2048,
  amdQueue: 512,
  smmuv3Batch: 64,
  wholeAsidFrom: 512,
} as const;
