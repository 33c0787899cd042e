import type { DesignFactory } from './design.ts';
import { LinuxStrict } from './linux-strict.ts';

/**
 * Strict, and every invalidation of leaves says that paging-structure caches stay right: IH of VT-d, no PDE of AMD, Leaf of SMMUv3.
 * Where a table was freed they must go (VT-d spec 6.5.2.3). Kernels do this by themselves since 6.19 (VT-d second stage) and 7.0
 * (AMD): there the design is `linux-strict`.
 */
export const keepWalkCaches: DesignFactory = {
  name: 'keep-walk-caches',
  summary: 'strict; invalidations of leaves leave the paging-structure caches alone, whatever the kernel version does',
  promise: 'before-return',
  parameters: [],
  create: (emit, context) => new LinuxStrict(emit, { ...context, walkCaches: 'kept' }),
};
