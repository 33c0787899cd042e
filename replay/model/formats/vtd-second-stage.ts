import type { PageTableFormat } from '../page-table-format.ts';

/**
 * VT-d second-stage tables (VT-d spec 9.8; drivers/iommu/generic_pt/fmt/vtdss.h): R bit 0, W bit 1, no present bit, PS bit 7.
 * `levels` 3, 4 or 5 for 39, 48 or 57 bits; 2 MiB and 1 GiB leaves by capability (SSLPS).
 */
export function vtdSecondStage(levels: number, leafLevels = 0b111): PageTableFormat {
  return {
    name: 'vtd-second-stage',
    levels,
    leafLevels,
    presentMask: 0b11,
    leafBit: 0x80,
    tableBits: 0b11,
    leafBits: [0b11, 0b01, 0b10, 0b11],
    readBit: 0b01,
    writeBit: 0b10,
  };
}
