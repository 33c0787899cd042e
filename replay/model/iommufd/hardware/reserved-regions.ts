import type { IovaRange } from '../backend.ts';
import { ERRNO } from '../errno.ts';

/** enum iommu_resv_type: why a range of IOVAs can't be mapped freely (include/linux/iommu.h). */
export type ReservedKind = 'direct' | 'direct-relaxable' | 'reserved' | 'msi' | 'software-msi';

export interface ReservedRegion extends IovaRange {
  readonly kind: ReservedKind;
}

/** Writes to it are interrupts on x86, whatever the page table says (VT-d spec 3.14; AMD IOMMU spec 2.1.4.3). */
export const X86_MSI_WINDOW: ReservedRegion = { start: 0xfee0_0000n, last: 0xfeef_ffffn, kind: 'msi' };

/** Where HyperTransport keeps its own addresses (drivers/iommu/amd: HT_RANGE_START, HT_RANGE_END). */
export const AMD_HYPERTRANSPORT: ReservedRegion = { start: 0xfd_0000_0000n, last: 0xff_ffff_ffffn, kind: 'reserved' };

/** Where the kernel maps an ITS page on Arm (drivers/iommu: MSI_IOVA_BASE, MSI_IOVA_LENGTH). */
export const ARM_SOFTWARE_MSI: ReservedRegion = { start: 0x800_0000n, last: 0x80f_ffffn, kind: 'software-msi' };

/**
 * What a device's attachment reserves in an IOAS (iopt_table_enforce_dev_resv_regions): all regions but the relaxable ones, or
 * a negative errno for a combination that no driver may give: a hardware MSI window beside a software one, two software ones.
 */
export function enforcedRegions(regions: readonly ReservedRegion[]): IovaRange[] | number {
  const software = regions.filter(({ kind }) => kind === 'software-msi').length;
  if (software > 1 || (software > 0 && regions.some(({ kind }) => kind === 'msi'))) return -ERRNO.EINVAL;
  return regions.filter(({ kind }) => kind !== 'direct-relaxable').map(({ start, last }) => ({ start, last }));
}

/**
 * Firmware wants a 1:1 mapping that can't be waived (RMRR, IVMD, RMR): such a device can't be put to the blocked domain, so
 * taking it over for user space fails (drivers/iommu/iommu.c, require_direct). 0, or a negative errno.
 */
export function takeover(regions: readonly ReservedRegion[]): number {
  return regions.some(({ kind }) => kind === 'direct') ? -ERRNO.EINVAL : 0;
}

/**
 * How a device's interrupts reach the controller.
 * - `window`: hardware recognises the address, the page table is not asked.
 * - `kernel-page`: the kernel maps the controller's page at the software window and programs the device with that address.
 * - `direct-page`: firmware mapped the page 1:1 there, so nobody prepares a mapping. A guest's view under a VMM that says so:
 *   its writes of MSI addresses must be trapped, and a guest of the guest has no way to give the address out.
 * - `none`: nothing is known to be reserved for it.
 */
export type MsiRoute = 'window' | 'kernel-page' | 'direct-page' | 'none';

export function msiRoute(regions: readonly ReservedRegion[]): MsiRoute {
  if (regions.some(({ kind }) => kind === 'msi')) return 'window';
  const page = regions.find(({ kind }) => kind === 'software-msi');
  if (page === undefined) return 'none';
  const direct = regions.some(
    ({ kind, start, last }) => kind.startsWith('direct') && start <= page.last && last >= page.start,
  );
  return direct ? 'direct-page' : 'kernel-page';
}
