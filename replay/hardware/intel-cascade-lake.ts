import { UNPUBLISHED, parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const reach = 'as measured on a Broadwell Xeon by pcie-bench (SIGCOMM 2018, 10.1145/3230543.3230560)';
const levels =
  'F&S (SOSP 2024, 10.1145/3694715.3695943), Xeon Gold 6234: three levels of walk caches are counted there, their sizes are not';
const smallest = `${levels}; 6 entries give the misses of its smallest level at 5 and 40 flows (npm run validate, B)`;

/** That there are three walk caches is published; their sizes are assumed, but for one that published misses imply. */
export const intelCascadeLake: HardwareProfile = {
  name: 'intel-cascade-lake',
  summary:
    'VT-d of a Cascade Lake Xeon: 64 IOTLB entries and three walk caches, sizes assumed or implied by published misses',
  architecture: 'vtd',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(1, 64, reach, 'assumed'),
    parameter('page-table.levels', 4, 'levels', 'F&S (SOSP 2024): 4-level tables', 'published'),
    parameter('page-table.leafs', 0b111, 'bit set', 'CAP.SLLPS: 2 MiB and 1 GiB', 'published'),
    parameter('command.max-mask', 18, 'log2 pages', 'CAP.MAMV of current servers', 'published'),
    ...walkCaches([6, 16, 8, 0], levels, 'assumed').map((one) =>
      one.name === 'walk-cache.l1' ? { ...one, source: smallest, standing: 'fitted' as const } : one,
    ),
    ...unlimitedConfiguration(UNPUBLISHED, 'assumed'),
  ],
};
