import { pageTableFormat } from '../page-table-format.ts';
import type { PageTableFormat } from '../page-table-format.ts';

const V = 0x1;
const R = 0x2;
const W = 0x4;
const X = 0x8;
const U = 0x10;
const A = 0x40;
const D = 0x80;
const NAPOT_64K = 1 << 13;
const N = 1 << 31;
const PBMT = 0b11 << 29;

export interface RiscvOptions {
  /** Leaves of 64 KiB: 16 equal entries with N set and 1000 at the end of the page number. */
  readonly svnapot?: boolean;
  /** Linux sets A, and D where a page is writable. */
  readonly preset?: boolean;
}

/**
 * RISC-V Sv39, Sv48 and Sv57 (privileged spec, chapters 12.4 to 13; drivers/iommu/generic_pt/fmt/riscv.h): V, R, W, X, U, G,
 * A, D in bits 0 to 7, the page number from bit 10, PBMT bits 62:61, N bit 63. Every level has leaves; addresses are
 * sign-extended.
 */
export function riscv(levels: number, options: RiscvOptions = {}): PageTableFormat {
  const { svnapot = true, preset = true } = options;
  const inputBits = 12 + 9 * levels;
  const leaf = R | X | U | (preset ? A : 0);
  const writable = leaf | W | (preset ? D : 0);
  const all = Array.from({ length: levels }, () => 0b1);
  return pageTableFormat({
    name: `riscv-sv${inputBits}${svnapot ? '-napot' : ''}`,
    pageShift: 12,
    granuleShift: 12,
    indexBits: 9,
    levels,
    maxLevels: levels,
    inputBits,
    signExtended: true,
    outputBits: 56,
    leafOrders: svnapot ? [0x11, ...all.slice(1)] : all,
    rules: 'generic',
    presentMask: V,
    tableMask: V | R | W | X,
    tableKind: V,
    tableStep: 0,
    // any of R, W, X carries into bit 4
    kindMask: R | W | X,
    kindAdd: R | W | X,
    leafMask: 0x10,
    leafKind: 0x10,
    addressShift: 10,
    addressHigh: 0x3fffff,
    addressNibble: false,
    tableLow: Array.from({ length: levels }, () => V),
    tableHigh: 0,
    // write without read is reserved
    leafLow: [writable, leaf, writable, writable],
    leafHigh: [0, 0, 0, 0],
    leafMark: Array.from({ length: levels }, () => V),
    keptLow: 0x3ff & ~V,
    keptHigh: PBMT,
    ...(svnapot
      ? {
          group: {
            replicated: true,
            low: () => NAPOT_64K,
            high: () => N,
            order: (_: number, high: number) => (high < 0 ? 4 : 0),
          },
        }
      : {}),
    accessed: A,
    tablesAccessed: false,
    dirty: { trackedHigh: 0, mask: D, dirty: D },
    permission: (low, _, isLeaf) => (isLeaf ? (low >>> 1) & 3 : 3),
  });
}

export const RISCV: readonly PageTableFormat[] = [riscv(3), riscv(4), riscv(4, { svnapot: false }), riscv(5)];
