/**
 * What distinguishes one page-table format from another, as plain data for the one walker (`page-tables.ts`). Entries are 64
 * bits, held as two int32 words; levels count from 0, the table of 4 KiB entries. Only fields of the low word differ between
 * the formats, so that masks are int32.
 */
export interface PageTableFormat {
  readonly name: string;
  /** Tables from root to leaf: 3, 4 or 5; each indexes 9 bits. */
  readonly levels: number;
  /** Leaf sizes, as a bit set over levels: bit 0 is 4 KiB, bit 1 is 2 MiB, bit 2 is 1 GiB. */
  readonly leafLevels: number;
  /** An entry with any of these low bits is present. */
  readonly presentMask: number;
  /** Low bit that makes a present entry of level 1 or more a leaf. */
  readonly leafBit: number;
  /** Low bits of an entry that points to a lower table. */
  readonly tableBits: number;
  /** Low bits of a leaf by `ACCESS` bits of the mapping (1 read, 2 write, 3 both; 0, not known, is both). */
  readonly leafBits: readonly [number, number, number, number];
  readonly readBit: number;
  readonly writeBit: number;
}
