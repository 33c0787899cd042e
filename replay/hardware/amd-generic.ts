import { UNPUBLISHED, parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

export const amdGeneric: HardwareProfile = {
  name: 'amd-generic',
  summary: 'a generic AMD IOMMU: IOTLB of 64 sets x 4 ways by domain, page-directory caches (all assumed)',
  architecture: 'amd',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(64, 4, UNPUBLISHED, 'assumed'),
    parameter('page-table.levels', 3, 'levels at first', 'drivers/iommu/amd/iommu.c', 'published'),
    ...walkCaches([32, 16, 8, 0], UNPUBLISHED, 'assumed'),
    ...unlimitedConfiguration(UNPUBLISHED, 'assumed'),
  ],
};
