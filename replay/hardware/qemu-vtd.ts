import type { ProfileParameter } from '../results.ts';
import type { HardwareProfile } from './profile.ts';

const source = 'hw/i386/intel_iommu.c, and 8,455,027 recorded lookups without a difference';

function parameters(maskBits: number): ProfileParameter[] {
  const of = (name: string, value: number, unit: string): ProfileParameter => {
    return { name, value, unit, source, standing: 'measured' };
  };
  return [
    of('iotlb.capacity', 1024, 'entries'),
    of('iotlb.mask-bits', maskBits, 'bits'),
    of('page-table.levels', 4, 'levels'),
    of('page-table.leafs', 0b111, 'bit set'),
    of('command.max-mask', 18, 'log2 pages'),
    of('walk-cache.l1', 0, 'entries'),
    of('walk-cache.l2', 0, 'entries'),
    of('walk-cache.l3', 0, 'entries'),
    of('walk-cache.l4', 0, 'entries'),
  ];
}

export const qemuVtd: HardwareProfile = {
  name: 'qemu-vtd',
  summary: "QEMU's emulated VT-d: a hash of 1,024 translations by requester, emptied whole when full",
  iotlb: 'qemu-vtd',
  parameters: parameters(52),
};

/** QEMU 7.2 keeps 8 bits of the address mask: a one-page command drops every page with the same low 8 bits. */
export const qemuVtd72: HardwareProfile = {
  name: 'qemu-vtd-7.2',
  summary: "QEMU 7.2's emulated VT-d: page commands compare the low 8 bits of page numbers only",
  iotlb: 'qemu-vtd',
  parameters: parameters(8),
};
