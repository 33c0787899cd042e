import { pageTableFormat } from '../page-table-format.ts';
import type { PageTableFormat } from '../page-table-format.ts';

const R = 0b01;
const W = 0b10;
const PS = 0x80;
const A = 0x100;
const D = 0x200;
const SNP = 0x800;

export interface VtdSecondStage extends PageTableFormat {
  readonly readBit: number;
  readonly writeBit: number;
}

/**
 * VT-d second-stage tables (VT-d spec 9.8; drivers/iommu/generic_pt/fmt/vtdss.h): R bit 0, W bit 1, no present bit, PS bit 7,
 * A and D bits 8 and 9, SNP bit 11. `levels` 3, 4 or 5 for 39, 48 or 57 bits; `leafLevels`: bit 1 for 2 MiB, bit 2 for 1 GiB
 * leaves (SSLPS); `snoop`: leaves force coherency.
 */
export function vtdSecondStage(levels: number, leafLevels = 0b111, snoop = false): VtdSecondStage {
  const snp = snoop ? SNP : 0;
  const inputBits = 12 + 9 * levels;
  const format = pageTableFormat({
    name: `vtd-second-stage-${inputBits}`,
    pageShift: 12,
    granuleShift: 12,
    indexBits: 9,
    levels,
    maxLevels: levels,
    inputBits,
    signExtended: false,
    outputBits: 52,
    leafOrders: Array.from({ length: levels }, (_, level) => (leafLevels >>> level) & 1),
    rules: 'generic',
    presentMask: R | W,
    tableMask: PS | R | W,
    tableKind: R | W,
    tableStep: 0,
    kindMask: PS,
    kindAdd: 0,
    leafMask: PS,
    leafKind: PS,
    addressShift: 12,
    addressHigh: 0xfffff,
    addressNibble: false,
    tableLow: Array.from({ length: levels }, () => R | W),
    tableHigh: 0,
    leafLow: [R | W | snp, R | snp, W | snp, R | W | snp],
    leafHigh: [0, 0, 0, 0],
    leafMark: Array.from({ length: levels }, (_, level) => (level > 0 ? PS : 0)),
    keptLow: 0xfff & ~PS,
    keptHigh: ~0xfffff,
    accessed: A,
    tablesAccessed: true,
    dirty: { trackedHigh: 0, mask: D, dirty: D },
    permission: (low) => low & (R | W),
  });
  return { ...format, readBit: R, writeBit: W };
}

export const VTD_SECOND_STAGE: readonly PageTableFormat[] = [3, 4, 5].map((levels) => vtdSecondStage(levels));
