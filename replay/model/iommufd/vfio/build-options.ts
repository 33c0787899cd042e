import type { Machine } from '../machine.ts';
import { Unjudged } from '../unjudged.ts';

/** CHECK_EXTENSION of VFIO_NOIOMMU_IOMMU: CONFIG_VFIO_NOIOMMU. What the kernel's first answer says of its build holds from then on. */
export function noIommuBuilt(machine: Machine): number {
  if (machine.noIommuBuilt !== undefined) return machine.noIommuBuilt ? 1 : 0;
  throw new Unjudged('a build option of the kernel is not known', (ret) => {
    if (ret === 0 || ret === 1) machine.noIommuBuilt = ret === 1;
  });
}

/** A machine that runs the kernel that another was seen to run. */
export function sameKernel(machine: Machine, seen: Machine): Machine {
  machine.noIommuBuilt ??= seen.noIommuBuilt;
  return machine;
}
