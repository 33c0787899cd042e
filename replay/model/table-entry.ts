import type { PageTableFormat } from './page-table-format.ts';

/** True for a leaf that was written to since it was last clean. */
export function isDirty(format: PageTableFormat, low: number, high: number): boolean {
  const { trackedHigh, mask, dirty } = format.dirty;
  return (high & trackedHigh) === trackedHigh && (low & mask) === dirty;
}

/** Low word of a leaf after a write. */
export function withDirty(format: PageTableFormat, low: number, high: number): number {
  const { trackedHigh, mask, dirty } = format.dirty;
  return (high & trackedHigh) === trackedHigh ? (low & ~mask) | dirty : low;
}

/** Low word of a leaf after its dirty state was read and cleared. */
export function withoutDirty(format: PageTableFormat, low: number, high: number): number {
  const { trackedHigh, mask, dirty } = format.dirty;
  return (high & trackedHigh) === trackedHigh ? (low & ~mask) | (mask & ~dirty) : low;
}

/** True for a present entry of `level` that is a leaf. */
export function isLeaf(format: PageTableFormat, low: number, level: number): boolean {
  return level === 0 || (((low & format.kindMask) + format.kindAdd) & format.leafMask) === format.leafKind;
}

/** log2 of the entries that make the leaf which this entry belongs to. */
export function groupOrder(format: PageTableFormat, low: number, high: number, level: number): number {
  return format.group === undefined ? 0 : format.group.order(low, high, level);
}

/** Page number in an entry, as it is there: of a table, or of a leaf with its group's size code. Exact in a double. */
export function pageIn(format: PageTableFormat, low: number, high: number): number {
  const { addressShift, addressHigh, addressNibble } = format;
  let lo = low;
  let hi = high & addressHigh;
  if (addressNibble) {
    hi |= (low & 0xf000) << 4;
    lo &= ~0xf000;
  }
  return hi * 2 ** (32 - addressShift) + (lo >>> addressShift);
}
