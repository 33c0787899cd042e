import type { ReachPoint } from '../../../replay/calibrate/reach-curve.ts';

export const PCIE_BENCH_SOURCE =
  'pcie-bench (SIGCOMM 2018, doi 10.1145/3230543.3230560), public data set: Xeon E5-2630 v4, 64-byte reads at random, warm in the ' +
  "host's caches (DWarm); IOMMU on with 4 KiB leaves (bdw-iommu-nosp), and off (bdw)";

/** Window in bytes, million transactions per second, average ns of single reads, the same with the IOMMU off. */
const ROWS: readonly (readonly [window: number, rate: number | undefined, averageNs: number, offNs: number])[] = [
  [1024, undefined, 415.0, 412.4],
  [4096, 64.5728621, 415.0, 412.3],
  [16_384, 65.2994256, 415.0, 412.3],
  [262_144, 65.5897699, 415.3, 412.7],
  [524_288, 44.6743747, 440.1, 412.3],
  [1_048_576, 29.9962683, 571.5, 412.5],
  [1_572_864, 25.6612566, 615.1, 412.4],
  [2_097_152, 23.7849614, 637.0, 412.6],
  [3_145_728, 21.7234369, 678.7, 431.6],
  [4_194_304, 20.9542055, 699.9, 440.8],
  [8_388_608, 19.8937389, 738.9, 464.4],
  [16_777_216, 19.4230281, 758.3, 476.7],
  [33_554_432, 19.2580804, 768.3, 481.9],
  [67_108_864, 19.2215315, 773.8, 485.2],
];

export const PCIE_BENCH_POINTS: readonly ReachPoint[] = ROWS.map(([window, rate, averageNs, offNs]) => ({
  window,
  transactionsPerSecond: rate === undefined ? undefined : rate * 1e6,
  averageNs,
  offNs,
}));
