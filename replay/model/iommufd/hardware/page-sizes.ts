/** The bitmap of page sizes of these shifts (struct iommu_domain, pgsize_bitmap). */
export function pageSizesOf(...shifts: readonly number[]): bigint {
  return shifts.reduce((sizes, shift) => sizes | (1n << BigInt(shift)), 0n);
}
