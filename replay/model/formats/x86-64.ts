import { pageTableFormat } from '../page-table-format.ts';
import type { PageTableFormat } from '../page-table-format.ts';

const P = 0x1;
const RW = 0x2;
const U = 0x4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;

export interface X8664Options {
  /** The address bits above are copies of the highest one (VT-d first stage), or zero (AMD v2, of the lower half only). */
  readonly signExtended?: boolean;
  /** Bit 1 for 2 MiB, bit 2 for 1 GiB leaves (VT-d FL1GP). */
  readonly leafLevels?: number;
  /** Linux sets A, and D where a page is writable, so that hardware never has to; false for tables that are tracked by them. */
  readonly preset?: boolean;
}

/**
 * x86-64 tables of 4 or 5 levels as VT-d's first stage and AMD's v2 tables have them (VT-d spec 9.7, AMD IOMMU spec 2.2.6;
 * drivers/iommu/generic_pt/fmt/x86_64.h): P bit 0, RW bit 1, U bit 2, A bit 5, D bit 6, PS bit 7, XD bit 63.
 */
export function x8664(levels: number, options: X8664Options = {}): PageTableFormat {
  const { signExtended = true, leafLevels = 0b111, preset = true } = options;
  const inputBits = 12 + 9 * levels - (signExtended ? 0 : 1);
  const leaf = P | U | (preset ? A : 0);
  const writable = leaf | RW | (preset ? D : 0);
  return pageTableFormat({
    name: `${signExtended ? 'vtd-first-stage' : 'amd-v2'}-${inputBits}`,
    pageShift: 12,
    granuleShift: 12,
    indexBits: 9,
    levels,
    maxLevels: levels,
    inputBits,
    signExtended,
    outputBits: 52,
    leafOrders: Array.from({ length: levels }, (_, level) => (leafLevels >>> level) & 1),
    rules: 'generic',
    presentMask: P,
    tableMask: PS | P,
    tableKind: P,
    tableStep: 0,
    kindMask: PS,
    kindAdd: 0,
    leafMask: PS,
    leafKind: PS,
    addressShift: 12,
    addressHigh: 0xfffff,
    addressNibble: false,
    tableLow: Array.from({ length: levels }, () => P | RW | U | (preset ? A : 0)),
    tableHigh: 0,
    // write implies read
    leafLow: [writable, leaf, writable, writable],
    leafHigh: [0, 0, 0, 0],
    leafMark: Array.from({ length: levels }, (_, level) => (level > 0 ? PS : 0)),
    keptLow: 0xfff & ~PS,
    keptHigh: ~0xfffff,
    accessed: A,
    tablesAccessed: true,
    dirty: { trackedHigh: 0, mask: D, dirty: D },
    permission: (low) => 1 | (low & RW),
  });
}

export const X86_64: readonly PageTableFormat[] = [
  x8664(4),
  x8664(5),
  x8664(4, { signExtended: false }),
  x8664(5, { signExtended: false }),
];
