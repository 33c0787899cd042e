import { DIALECT } from '../../traces/schema.ts';
import type { DesignContext } from './design.ts';

/** Page sizes of Arm granules, as log2 of 4 KiB pages (drivers/iommu/io-pgtable-arm.c). */
const OF_GRANULE: { readonly [granuleShift: number]: readonly number[] } = {
  12: [0, 9, 18],
  14: [2, 13],
  16: [4, 17],
};

/** Leaf sizes of an Arm granule, ascending. */
export function granuleOrders(granuleShift: number): readonly number[] {
  return OF_GRANULE[granuleShift] ?? [0, 9, 18];
}

/** Leaf sizes of the page tables that a driver of the context writes, as log2 of 4 KiB pages, ascending. */
export function leafOrders(context: Pick<DesignContext, 'dialect' | 'granuleShift'>): readonly number[] {
  return granuleOrders(context.dialect === DIALECT.smmuv3 ? context.granuleShift : 12);
}
