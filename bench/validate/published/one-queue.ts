/** Unpublished measurements of a public repository, October 2025. */
export const ONE_QUEUE_SOURCE =
  'measurements in a public repository, October 2025: guest with nested VT-d first stage, strict in host and guest, Linux 6.12, ' +
  'ring 512; one lock per IOMMU, 256 entries, the tail write trapped to the host under the lock';

/** One run; all runs took the same time. */
export interface OneQueueRun {
  readonly cores: number;
  readonly gigabitsPerSecond: number;
  /** Mean of submitting and waiting. */
  readonly waitNs: number;
  readonly submits: number;
  readonly submitsPerPage: number;
}

export const ONE_QUEUE_RUNS: readonly OneQueueRun[] = [
  { cores: 1, gigabitsPerSecond: 47.3, waitNs: 6958, submits: 401_857, submitsPerPage: 0.0139 },
  { cores: 2, gigabitsPerSecond: 84.3, waitNs: 8176, submits: 618_645, submitsPerPage: 0.012 },
  { cores: 4, gigabitsPerSecond: 155.8, waitNs: 7201, submits: 1_152_523, submitsPerPage: 0.0121 },
  { cores: 8, gigabitsPerSecond: 237.8, waitNs: 8213, submits: 1_589_262, submitsPerPage: 0.011 },
];

/** Throughput collapses above so many cores, while misses per page stay the same. */
export const COLLAPSES_ABOVE = 8;

/** tegra241-cmdqv, Linux 6.12: invalidation takes so much less time where the guest's queue is the hardware's. */
export const DIRECT_SAVES: readonly [number, number] = [0.7, 0.9];

/** Bits of a 4 KiB page. */
export const PAGE_BITS = 32_768;
