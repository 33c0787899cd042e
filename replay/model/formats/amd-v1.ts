import { pageTableFormat } from '../page-table-format.ts';
import type { PageTableFormat } from '../page-table-format.ts';

const PR = 0x1;
const A = 0x20;
const D = 0x40;
const NEXT_LEVEL = 0xe00;
const NEXT_LEVEL_SHIFT = 9;
const FC = 1 << 28;
const IR = 1 << 29;
const IW = 1 << 30;

export interface AmdV1Options {
  /** Levels of a new table; the root grows to `maxLevels`. */
  readonly levels?: number;
  readonly maxLevels?: number;
  /** Leaves force coherency. */
  readonly coherent?: boolean;
  /** 11 for the 2 KiB pages of IOMMUFD's mock driver. */
  readonly granuleShift?: 11 | 12;
}

/**
 * AMD's host tables, v1 (AMD IOMMU spec 2.2.3; drivers/iommu/generic_pt/fmt/amdv1.h): PR bit 0, A bit 5, D bit 6, NextLevel
 * bits 11:9, FC, IR, IW bits 60 to 62. A leaf has NextLevel 0, or 7 and any power of two as its size: then its address has a
 * one below the size for each doubling of 8 KiB, and it is written to every entry that it covers. 512 GiB leaves are never
 * used (a defect of the hardware), nor are leaves in the sixth level.
 */
export function amdV1(options: AmdV1Options = {}): PageTableFormat {
  const { granuleShift = 12, coherent = false } = options;
  const maxLevels = options.maxLevels ?? (granuleShift === 12 ? 6 : 5);
  const levels = options.levels ?? Math.min(3, maxLevels);
  const shiftOf = (level: number): number => granuleShift + 9 * level;
  const fc = coherent ? FC : 0;
  return pageTableFormat({
    name: granuleShift === 12 ? 'amd-v1' : 'amd-v1-2k',
    pageShift: granuleShift,
    granuleShift,
    indexBits: 9,
    levels,
    maxLevels,
    inputBits: Math.min(64, shiftOf(maxLevels)),
    signExtended: false,
    outputBits: granuleShift + 40,
    leafOrders: Array.from({ length: maxLevels }, (_, level) => ordersOf(shiftOf(level), level)),
    rules: 'generic',
    presentMask: PR,
    tableMask: NEXT_LEVEL | PR,
    tableKind: PR,
    tableStep: 1 << NEXT_LEVEL_SHIFT,
    // NextLevel 0 and 7 become 1 and 8: of these three bits, the upper two are zero
    kindMask: NEXT_LEVEL,
    kindAdd: 1 << NEXT_LEVEL_SHIFT,
    leafMask: 0xc00,
    leafKind: 0,
    addressShift: 12,
    addressHigh: 0xfffff,
    addressNibble: false,
    tableLow: Array.from({ length: maxLevels }, (_, level) => PR | (level << NEXT_LEVEL_SHIFT)),
    tableHigh: IR | IW,
    leafLow: [0, 0, 0, 0],
    leafHigh: [IR | IW | fc, IR | fc, IW | fc, IR | IW | fc],
    leafMark: Array.from({ length: maxLevels }, () => PR),
    keptLow: 0xfff & ~NEXT_LEVEL & ~PR,
    keptHigh: ~0xfffff,
    group: {
      replicated: true,
      low: (level, order) => NEXT_LEVEL | (~(-1 << Math.min(20, sizeOnes(level, order))) << 12),
      high: (level, order) => ~(-1 << Math.max(0, sizeOnes(level, order) - 20)),
      order: (low, high, level) => ((low & NEXT_LEVEL) === NEXT_LEVEL ? trailingOnes(low, high) + 1 - 9 * level : 0),
    },
    accessed: A,
    tablesAccessed: true,
    dirty: { trackedHigh: 0, mask: D, dirty: D },
    permission: (_, high) => (high >>> 29) & 3,
  });
}

/** Ones at the end of the address of a leaf of 2^order entries. */
function sizeOnes(level: number, order: number): number {
  return 9 * level + order - 1;
}

function trailingOnes(low: number, high: number): number {
  const zerosLow = ~low >>> 12;
  if (zerosLow !== 0) return 31 - Math.clz32(zerosLow & -zerosLow);
  const zerosHigh = ~high & 0xfffff;
  return zerosHigh === 0 ? 40 : 51 - Math.clz32(zerosHigh & -zerosHigh);
}

/** A level has leaves of its own size and all up to half of the next level's; none of 2^39 or above 2^51 bytes. */
function ordersOf(shift: number, level: number): number {
  let orders = 0;
  for (let order = 0; order < 9; order++) {
    if (level < 5 && shift + order <= 51 && shift + order !== 39) orders |= 1 << order;
  }
  return orders;
}

export const AMD_V1: readonly PageTableFormat[] = [amdV1(), amdV1({ granuleShift: 11 })];
