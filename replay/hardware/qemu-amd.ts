import { parameter, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const source = 'hw/i386/amd_iommu.c';

/** Each translation is cached as one 4 KiB page; a command for pages drops its whole domain. */
export const qemuAmd: HardwareProfile = {
  name: 'qemu-amd',
  summary: "QEMU's emulated AMD IOMMU: a hash of 1,024 pages by requester, emptied whole when full",
  architecture: 'amd',
  iotlb: 'qemu-amd',
  parameters: [
    parameter('iotlb.capacity', 1024, 'entries', source, 'published'),
    parameter('page-table.levels', 3, 'levels at first', 'drivers/iommu/amd/iommu.c', 'published'),
    ...walkCaches([0, 0, 0, 0], source, 'published'),
    ...unlimitedConfiguration(source, 'published'),
  ],
};
