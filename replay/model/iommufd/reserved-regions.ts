import type { IovaRange } from './backend.ts';
import { ERRNO } from './errno.ts';

/**
 * Why a range of a device's addresses can't be mapped (enum iommu_resv_type). `direct`: memory that firmware has mapped one to
 * one (RMRR, IVMD, RMR); `directRelaxable`: the same, but only until the device has a driver; `msi`: a hardware window that
 * the IOMMU doesn't translate; `softwareMsi`: where the kernel maps an interrupt controller's page.
 */
export interface ReservedRegion extends IovaRange {
  readonly kind: 'direct' | 'directRelaxable' | 'reserved' | 'msi' | 'softwareMsi';
}

/** Interrupt window of x86 (drivers/iommu/intel/iommu.c, amd/iommu.c). */
export const X86_MSI: ReservedRegion = { start: 0xfee0_0000n, last: 0xfeef_ffffn, kind: 'msi' };
/** MSI_IOVA_BASE and its length (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c). */
export const ARM_SOFTWARE_MSI: ReservedRegion = { start: 0x800_0000n, last: 0x80f_ffffn, kind: 'softwareMsi' };

/** What an attach by RID takes from an IOAS. */
export interface EnforcedRegions {
  readonly reserved: readonly IovaRange[];
  /** Where the interrupt controller's page is mapped; undefined: interrupts need no mapping. */
  readonly softwareMsi: bigint | undefined;
}

/**
 * iopt_table_enforce_dev_resv_regions: everything but what the device can do without. A driver that offers both kinds of
 * interrupt windows is refused (EINVAL).
 */
export function enforcedRegions(regions: readonly ReservedRegion[]): EnforcedRegions | number {
  const software = regions.filter(({ kind }) => kind === 'softwareMsi');
  const hardware = regions.some(({ kind }) => kind === 'msi');
  if (software.length > 1 || (software.length === 1 && hardware)) return -ERRNO.EINVAL;
  return {
    reserved: regions
      .filter(({ kind }) => kind !== 'directRelaxable')
      .map(({ start, last }) => ({ start, last }))
      .sort((a, b) => (a.start < b.start ? -1 : 1)),
    softwareMsi: software[0]?.start,
  };
}

/** A device that firmware needs mapped one to one can't be blocked, so that user space can't own it (EINVAL). */
export function ownable(regions: readonly ReservedRegion[]): boolean {
  return regions.every(({ kind }) => kind !== 'direct');
}

/**
 * A guest's interrupt page: the VMM says by a `direct` region where it is, and the guest's own driver reserves
 * MSI_IOVA_BASE for it. Where both are the same the guest's kernel has two regions at one address, and doesn't map the page by
 * itself: a device that it hands on (nested VFIO) gets no interrupts.
 */
export function nestedInterruptsWork(regions: readonly ReservedRegion[]): boolean {
  const software = regions.filter(({ kind }) => kind === 'softwareMsi');
  return !regions.some(
    (region) =>
      region.kind === 'direct' && software.some(({ start, last }) => region.start <= last && region.last >= start),
  );
}
