import { pageTables, parameter, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const source = 'hw/virtio/virtio-iommu.c';

/** Every access looks the mapping up. */
export const qemuVirtio: HardwareProfile = {
  name: 'qemu-virtio',
  summary: "QEMU's virtio-iommu: no translation cache",
  architecture: 'virtio',
  iotlb: 'none',
  parameters: [
    ...pageTables(4, 12, 'a tree of intervals, counted as tables', 'assumed'),
    parameter('command.max-mask', 63, 'log2 pages', 'not a limit of this dialect', 'published'),
    ...walkCaches([0, 0, 0, 0], source, 'published'),
    ...unlimitedConfiguration(source, 'published'),
  ],
};
