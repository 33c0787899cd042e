import { UNPUBLISHED, parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const reach =
  'calibrate --reach on pcie-bench (SIGCOMM 2018, 10.1145/3230543.3230560), Xeon E5-2630 v4: throughput within 6% and latency within 4% ' +
  'at every window; 105 to 112 entries hold, sets and replacement do not show';
const pointers = 'the same curve: windows of 64 MiB, 32 leaf tables, walk as fast as small ones, so at least so many';

/** The capacity is fitted to a published measurement; how it is organised nobody published. */
export const intelBroadwell: HardwareProfile = {
  name: 'intel-broadwell',
  summary: 'VT-d of a Broadwell Xeon: 108 IOTLB entries and 32 table pointers, fitted to published measurements',
  architecture: 'vtd',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(1, 108, reach, 'fitted'),
    parameter('page-table.levels', 4, 'levels', 'CAP.SAGAW: 48 bits', 'published'),
    parameter('page-table.leafs', 0b111, 'bit set', 'CAP.SLLPS: 2 MiB and 1 GiB', 'published'),
    parameter('command.max-mask', 18, 'log2 pages', 'CAP.MAMV of current servers', 'published'),
    ...walkCaches([32, 8, 4, 0], pointers, 'fitted'),
    ...unlimitedConfiguration(UNPUBLISHED, 'assumed'),
  ],
};
