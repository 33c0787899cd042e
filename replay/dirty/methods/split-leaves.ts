import type { HarvestTables } from '../harvest-tables.ts';
import { leafName } from '../harvest-tables.ts';
import { leafTrouble } from './table-method.ts';

const PAGE_SHIFT = 12;

/** Address bits of the smallest leaf of a format. */
export function smallestLeaf({ format }: HarvestTables): number {
  return (format.geometry.sizes[0]?.pageBits ?? 0) + PAGE_SHIFT;
}

/** Aligned blocks of a leaf's size that lie inside of a range: leaves at its edges are smaller anyway. */
export function eachLargeLeaf(page: number, pages: number, leafShift: number, told: (page: number) => void): void {
  const leaf = 2 ** (leafShift - PAGE_SHIFT);
  for (let at = Math.ceil(page / leaf) * leaf; at + leaf <= page + pages; at += leaf) told(at);
}

/** Why leaves of a size can't be split into the smallest. */
export function splitTrouble(leafShift: number, tables: HarvestTables): string | undefined {
  const trouble = leafTrouble(leafShift, tables);
  if (trouble !== undefined || leafShift > smallestLeaf(tables)) return trouble;
  return `${leafName(leafShift)} is the smallest leaf of ${tables.name}: there is nothing to split`;
}
