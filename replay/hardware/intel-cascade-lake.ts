import { UNPUBLISHED, parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const levels =
  'F&S (SOSP 2024, 10.1145/3694715.3695943), Xeon Gold 6234: three levels of walk caches are counted there, their sizes are not';

/** That there are three walk caches is published; all sizes are assumed. */
export const intelCascadeLake: HardwareProfile = {
  name: 'intel-cascade-lake',
  summary: 'VT-d of a Cascade Lake Xeon: IOTLB of 16 sets x 8 ways and three walk caches, all sizes assumed',
  architecture: 'vtd',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(16, 8, UNPUBLISHED, 'assumed'),
    parameter('page-table.levels', 4, 'levels', 'F&S (SOSP 2024): 4-level tables', 'published'),
    parameter('page-table.leafs', 0b111, 'bit set', 'CAP.SLLPS: 2 MiB and 1 GiB', 'published'),
    parameter('command.max-mask', 18, 'log2 pages', 'CAP.MAMV of current servers', 'published'),
    ...walkCaches([32, 16, 8, 0], levels, 'assumed'),
    ...unlimitedConfiguration(UNPUBLISHED, 'assumed'),
  ],
};
