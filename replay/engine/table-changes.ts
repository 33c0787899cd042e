import { ORIGIN } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';

/**
 * Whether a map or unmap writes page tables. The DMA API, VFIO and IOMMUFD make theirs through the IOMMU core, which the trace
 * has as events of its own - but for what was derived from calls, where there are none: only there VFIO's and IOMMUFD's name a
 * domain.
 */
export function changesTables(origin: number, domain: number): boolean {
  if (origin === ORIGIN.iommu || origin === ORIGIN.virtio) return true;
  return (origin === ORIGIN.iommufd || origin === ORIGIN.vfio) && domain !== ABSENT;
}
