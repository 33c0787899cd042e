import { parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const geometry = 'no vendor publishes it; sizes of this order are inferred from reach measurements';

/** A server's VT-d unit with plausible caches. Every geometry is assumed: fit it with measurements before trusting rates. */
export const vtdServer: HardwareProfile = {
  name: 'vtd-64x4',
  summary: 'a generic VT-d unit: IOTLB of 64 sets x 4 ways, LRU, paging-structure caches (all assumed)',
  architecture: 'vtd',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(64, 4, geometry, 'assumed'),
    parameter('page-table.levels', 4, 'levels', 'CAP.SAGAW of current servers: 48 bits', 'published'),
    parameter('page-table.leafs', 0b111, 'bit set', 'CAP.SLLPS of current servers: 2 MiB and 1 GiB', 'published'),
    parameter('command.max-mask', 18, 'log2 pages', 'CAP.MAMV of current servers', 'published'),
    ...walkCaches([32, 16, 8, 0], geometry, 'assumed'),
    ...unlimitedConfiguration(geometry, 'assumed'),
  ],
};
