/**
 * Further rows of the same micro-benchmark, on which the model's figures are fitted: ns of one call, generic page table and the
 * code before it. AMD v1: commit message of the format; VT-d second stage and AMD v2 (x86): cover letter of version 6 of "Consolidate
 * iommu page table implementations" (kernel mailing list, October 2025, an i7-12700).
 */
export interface PageTableRow {
  readonly generic: number;
  readonly before: number;
}

/** One leaf of 2^12 bytes, and 256 leaves of 2^21 and 2^30. */
export interface PageTableRows {
  readonly one: PageTableRow;
  readonly many2M: PageTableRow;
  readonly many1G?: PageTableRow;
  /** 256 leaves of 2^12: only of formats that no line is about. */
  readonly many4K?: PageTableRow;
}

export const AMD_V1_MAP: PageTableRows = {
  one: { generic: 65, before: 64 },
  many2M: { generic: 375, before: 1623 },
  many1G: { generic: 356, before: 1338 },
};
export const AMD_V2_MAP: PageTableRows = {
  one: { generic: 56, before: 62 },
  many2M: { generic: 393, before: 1160 },
  many4K: { generic: 405, before: 1355 },
};
export const AMD_V2_UNMAP: PageTableRows = {
  one: { generic: 71, before: 72 },
  many2M: { generic: 254, before: 721 },
  many4K: { generic: 228, before: 891 },
};
export const VTD_MAP: PageTableRows = {
  one: { generic: 55, before: 65 },
  many2M: { generic: 383, before: 635 },
};
export const VTD_UNMAP: PageTableRows = {
  one: { generic: 69, before: 87 },
  many2M: { generic: 255, before: 349 },
};
