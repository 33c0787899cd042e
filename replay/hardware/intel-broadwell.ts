import { UNPUBLISHED, parameter, unifiedIotlb, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const reach =
  'pcie-bench (SIGCOMM 2018, 10.1145/3230543.3230560), Xeon E5-2630 v4: throughput is flat up to 64 pages of 4 KiB, its authors ' +
  'read 64 entries; latency at 128 pages alone would say about 120';

/** The capacity is what one published measurement implies; how it is organised, and the walk caches, nobody published. */
export const intelBroadwell: HardwareProfile = {
  name: 'intel-broadwell',
  summary: 'VT-d of a Broadwell Xeon: 64 IOTLB entries as measured by others, organisation and walk caches assumed',
  architecture: 'vtd',
  iotlb: 'set-associative',
  parameters: [
    ...unifiedIotlb(1, 64, reach, 'published'),
    parameter('page-table.levels', 4, 'levels', 'CAP.SAGAW: 48 bits', 'published'),
    parameter('page-table.leafs', 0b111, 'bit set', 'CAP.SLLPS: 2 MiB and 1 GiB', 'published'),
    parameter('command.max-mask', 18, 'log2 pages', 'CAP.MAMV of current servers', 'published'),
    ...walkCaches([16, 8, 4, 0], UNPUBLISHED, 'assumed'),
    ...unlimitedConfiguration(UNPUBLISHED, 'assumed'),
  ],
};
