import { parameter, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const source = 'hw/virtio/virtio-iommu.c';

/** Every access looks the mapping up. */
export const qemuVirtio: HardwareProfile = {
  name: 'qemu-virtio',
  summary: "QEMU's virtio-iommu: no translation cache",
  architecture: 'virtio',
  iotlb: 'none',
  parameters: [
    parameter('page-table.levels', 4, 'levels', 'a tree of intervals, counted as tables', 'assumed'),
    ...walkCaches([0, 0, 0, 0], source, 'published'),
    ...unlimitedConfiguration(source, 'published'),
  ],
};
