import { TableGeometry } from './table-geometry.ts';

/**
 * What distinguishes one page-table format from another, as data for the one walker (`page-tables.ts`). Entries are 64 bits,
 * held as two int32 words; levels count from 0, the table of the smallest leaves (Arm counts the other way).
 */
export interface FormatDescription {
  readonly name: string;
  /** Address bits of a page number as callers count them: 12, and 11 for tables of 2 KiB pages. */
  readonly pageShift: number;
  /** Address bits of the smallest leaf. */
  readonly granuleShift: number;
  /** Bits that index a table other than the root. */
  readonly indexBits: number;
  /** Tables from root to leaf, of a new table and at most: the root grows where the second is larger (AMD v1). */
  readonly levels: number;
  readonly maxLevels: number;
  /** Bits of an input address, with `maxLevels`. What they leave to the root may be more than `indexBits` (Arm stage 2). */
  readonly inputBits: number;
  /** The bits above must be copies of the highest input bit, not zero. */
  readonly signExtended: boolean;
  readonly outputBits: number;
  /** By level: bit k is set if 2^k entries can make one leaf. */
  readonly leafOrders: readonly number[];
  /** Linux's rules for maps and unmaps: `generic` (drivers/iommu/generic_pt) or `lpae` (drivers/iommu/io-pgtable-arm.c). */
  readonly rules: 'generic' | 'lpae';
  /** An entry with any of these low bits is present. */
  readonly presentMask: number;
  /** Above level 0, an entry points to a table, as Linux writes it, if `low & tableMask` is `tableKind + level * tableStep`. */
  readonly tableMask: number;
  readonly tableKind: number;
  readonly tableStep: number;
  /** Above level 0, a present entry is a leaf if `((low & kindMask) + kindAdd) & leafMask` is `leafKind`. */
  readonly kindMask: number;
  readonly kindAdd: number;
  readonly leafMask: number;
  readonly leafKind: number;
  /** Place of the page number in an entry, and the bits of the high word that belong to it. */
  readonly addressShift: number;
  readonly addressHigh: number;
  /** Address bits 51:48 are in bits 15:12 (Arm, 64 KiB granule). */
  readonly addressNibble: boolean;
  /** By level: low and high bits of an entry that points to a lower table. */
  readonly tableLow: readonly number[];
  readonly tableHigh: number;
  /** By `ACCESS` bits of a mapping (1 read, 2 write; 0, not known, is both): bits of its leaf. */
  readonly leafLow: readonly [number, number, number, number];
  readonly leafHigh: readonly [number, number, number, number];
  /** By level: low bits that mark a leaf there. */
  readonly leafMark: readonly number[];
  /** Bits, other than address, mark and group, that a leaf keeps when it is split or merged. */
  readonly keptLow: number;
  readonly keptHigh: number;
  /** How 2^k entries make one leaf; absent where one entry always does. */
  readonly group?: LeafGroup;
  /** Low bits of the accessed flag; whether tables have it too. */
  readonly accessed: number;
  readonly tablesAccessed: boolean;
  readonly dirty: DirtyRule;
  /** `ACCESS` bits that an entry, table or leaf, allows. */
  readonly permission: (low: number, high: number, leaf: boolean) => number;
}

/** Leaves of several entries: replicated entries (AMD v1, RISC-V Svnapot) or a hint in each (Arm). */
export interface LeafGroup {
  /** All entries hold the address of the first page; otherwise each its own. */
  readonly replicated: boolean;
  /** Low and high bits of the entries of a leaf of 2^order entries, beside the address. */
  readonly low: (level: number, order: number) => number;
  readonly high: (level: number, order: number) => number;
  /** Order of a leaf's group from one of its entries; 0 for a leaf of one entry. */
  readonly order: (low: number, high: number, level: number) => number;
}

/** When a leaf is dirty, and what a write and a harvest change in its low word. */
export interface DirtyRule {
  /** Only leaves with `(high & trackedHigh) === trackedHigh` have dirty state (Arm DBM); 0: all. */
  readonly trackedHigh: number;
  /** Dirty if `(low & mask) === dirty`. Clean otherwise, with the opposite bits. */
  readonly mask: number;
  readonly dirty: number;
}

export interface PageTableFormat extends FormatDescription {
  readonly geometry: TableGeometry;
}

/** A description with all that follows from it. */
export function pageTableFormat(description: FormatDescription): PageTableFormat {
  return { ...description, geometry: new TableGeometry(description) };
}
