import { parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const configured = 'the sizes of SMMUv3 implementations are chosen by who builds the chip, and not published';

export const armSmmuv3Generic: HardwareProfile = {
  name: 'arm-smmuv3-generic',
  summary: 'a generic SMMUv3: TLB of 64 sets x 4 ways by ASID and VMID, walk caches (all assumed)',
  architecture: 'smmuv3',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(64, 4, configured, 'assumed'),
    parameter('page-table.levels', 4, 'levels', 'Arm ARM D8: 48 bits', 'published'),
    parameter('page-table.granule', 12, 'log2 bytes', "the kernel's page size", 'assumed'),
    ...walkCaches([32, 16, 8, 0], configured, 'assumed'),
    ...unlimitedConfiguration(configured, 'assumed'),
  ],
};
