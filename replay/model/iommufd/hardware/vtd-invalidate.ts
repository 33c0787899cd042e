import { ERRNO } from '../errno.ts';
import { entryAt } from '../invalidate-entries.ts';
import type { InvalidateOutcome, InvalidateRequest } from '../parts.ts';
import { StructView } from '../struct-view.ts';

/** struct iommu_hwpt_vtd_s1_invalidate {u64 addr, u64 npages, u32 flags, u32 reserved}; flag 1: leaf. */
const TYPE = 0;
const ENTRY_BYTES = 24;
const ALL_PAGES = 0xffff_ffff_ffff_ffffn;

function check(request: InvalidateRequest, index: number): number {
  const bytes = entryAt(request, index, ENTRY_BYTES, ENTRY_BYTES);
  if (typeof bytes === 'number') return bytes;
  const view = new StructView(bytes);
  if ((view.u32(16) & ~1) !== 0 || view.u32(20) !== 0) return -ERRNO.EOPNOTSUPP;
  if ((view.u64(0) & 0xfffn) !== 0n) return -ERRNO.EINVAL;
  return view.u64(8) === ALL_PAGES && view.u64(0) !== 0n ? -ERRNO.EINVAL : 0;
}

/** HWPT_INVALIDATE of a nested table (drivers/iommu/intel/nested.c): entries in order; none at all asks whether the type is known. */
export function vtdInvalidate(request: InvalidateRequest): InvalidateOutcome {
  if (request.type !== TYPE) return { done: 0, ret: -ERRNO.EINVAL };
  for (let done = 0; done < request.count; done++) {
    const ret = check(request, done);
    if (ret !== 0) return { done, ret };
  }
  return { done: request.count, ret: 0 };
}
