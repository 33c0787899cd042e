import { UNPUBLISHED, parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

export const riscvGeneric: HardwareProfile = {
  name: 'riscv-generic',
  summary: 'a generic RISC-V IOMMU: IOTLB of 64 sets x 4 ways by PSCID and GSCID, walk caches (all assumed)',
  architecture: 'riscv',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(64, 4, UNPUBLISHED, 'assumed'),
    parameter('page-table.levels', 4, 'levels', 'Sv48', 'assumed'),
    ...walkCaches([32, 16, 8, 0], UNPUBLISHED, 'assumed'),
    ...unlimitedConfiguration(UNPUBLISHED, 'assumed'),
  ],
};
