import { amdvi } from './amdvi.ts';
import type { DeviceModel } from './device-model.ts';
import { migration } from './migration.ts';
import { smmuv3 } from './smmuv3.ts';
import { virtioIommu } from './virtio-iommu.ts';
import { vmm } from './vmm.ts';
import { vtd } from './vtd.ts';

/** Every part of QEMU whose events are understood. To add one: a file, a fixture, a line here. */
export const DEVICE_MODELS: readonly DeviceModel[] = [vtd, smmuv3, amdvi, virtioIommu, vmm, migration];
