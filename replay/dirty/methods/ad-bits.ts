import type { DirtyMethodFactory } from '../dirty-method.ts';
import { leafShiftOf } from '../harvest-tables.ts';
import { TableMethod, flushTrouble, leafTrouble } from './table-method.ts';

/** IOMMU_HWPT_GET_DIRTY_BITMAP over leaves of one size (drivers/iommu/generic_pt/iommu_pt.h, io-pgtable-arm.c). */
export const adBits: DirtyMethodFactory = {
  name: 'ad-bits',
  summary: 'the hardware sets dirty bits in leaves of one size, which a harvest reads and clears',
  value: { about: 'size of the leaves', default: '4k', parse: leafShiftOf, example: '2m' },
  untrackedLeaf: (leafShift) => leafShift,
  sets: 'hardware',
  protects: false,
  logsAgain: false,
  impossible: leafTrouble,
  misses: flushTrouble,
  plan: (leafShift) => ({ told: leafShift, scannedLeaf: leafShift, bitmap: true, ring: false }),
  create: (leafShift, options) => new TableMethod(leafShift, options),
};
