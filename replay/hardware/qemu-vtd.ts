import type { ProfileParameter } from '../results.ts';
import { parameter, unlimitedConfiguration, walkCaches } from './parameters.ts';
import type { HardwareProfile } from './profile.ts';

const source = 'hw/i386/intel_iommu.c, and 8,455,027 recorded lookups without a difference';

function parameters(maskBits: number): ProfileParameter[] {
  return [
    parameter('iotlb.capacity', 1024, 'entries', source, 'measured'),
    parameter('iotlb.mask-bits', maskBits, 'bits', source, 'measured'),
    parameter('page-table.levels', 4, 'levels', source, 'measured'),
    parameter('page-table.leafs', 0b111, 'bit set', source, 'measured'),
    parameter('command.max-mask', 18, 'log2 pages', source, 'measured'),
    ...walkCaches([0, 0, 0, 0], source, 'measured'),
    ...unlimitedConfiguration('hw/i386/intel_iommu.c', 'published'),
  ];
}

export const qemuVtd: HardwareProfile = {
  name: 'qemu-vtd',
  summary: "QEMU's emulated VT-d: a hash of 1,024 translations by requester, emptied whole when full",
  architecture: 'vtd',
  iotlb: 'qemu-vtd',
  parameters: parameters(52),
};

/** QEMU 7.2 keeps 8 bits of the address mask: a one-page command drops every page with the same low 8 bits. */
export const qemuVtd72: HardwareProfile = {
  name: 'qemu-vtd-7.2',
  summary: "QEMU 7.2's emulated VT-d: page commands compare the low 8 bits of page numbers only",
  architecture: 'vtd',
  iotlb: 'qemu-vtd',
  parameters: parameters(8),
};
