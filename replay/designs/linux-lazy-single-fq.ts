import type { DesignFactory } from './design.ts';
import { LinuxLazy, hzParameter } from './linux-lazy.ts';

/** `linux-lazy` with one queue for all CPUs of a domain, larger and slower (drivers/iommu/dma-iommu.c, iommu_dma_init_fq_single). */
export const linuxLazySingleFq: DesignFactory = {
  name: 'linux-lazy-single-fq',
  summary: 'linux-lazy with one queue of 32,768 for all CPUs, flushed when full or after 1,000 ms',
  promise: 'before-reuse',
  parameters: [
    {
      name: 'linux-lazy-single-fq.size',
      value: 32_768,
      unit: 'slots',
      source: 'drivers/iommu/dma-iommu.c, IOVA_SINGLE_FQ_SIZE; one slot stays free',
      standing: 'published',
      range: [2, 1 << 20],
    },
    {
      name: 'linux-lazy-single-fq.timeout',
      value: 1000,
      unit: 'ms',
      source: 'drivers/iommu/dma-iommu.c, IOVA_SINGLE_FQ_TIMEOUT',
      standing: 'published',
      range: [1, 600_000],
    },
    hzParameter('linux-lazy-single-fq.hz'),
  ],
  create: (emit, context, parameter) =>
    new LinuxLazy(emit, context, {
      size: parameter('linux-lazy-single-fq.size'),
      timeoutNs: parameter('linux-lazy-single-fq.timeout') * 1e6,
      tickNs: Math.round(1e9 / parameter('linux-lazy-single-fq.hz')),
      single: true,
    }),
};
