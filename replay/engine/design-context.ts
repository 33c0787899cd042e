import { DIALECT } from '../../traces/schema.ts';
import { DEFAULT_CONTEXT } from '../designs/design.ts';
import type { DesignContext } from '../designs/design.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';

/**
 * What a driver of this hardware goes by: what the trace told, where it is of the same architecture, else what such a system usually
 * has. Only VT-d's commands name ranges by a mask, whose largest the hardware says.
 */
export function contextOn(hardware: HardwareProfile, recorded: DesignContext): DesignContext {
  const dialect = DIALECT[hardware.architecture];
  const addressBits = 12 + 9 * parameterOf(hardware, 'page-table.levels');
  const mask = dialect === DIALECT.vtd ? { maxAddressMask: parameterOf(hardware, 'command.max-mask') } : {};
  if (dialect === recorded.dialect) return { ...recorded, ...mask, addressBits };
  // virtio-iommu is told of every mapping; QEMU's AMD IOMMU has NpCache
  const cachingMode = dialect === DIALECT.virtio || hardware.iotlb === 'qemu-amd';
  return {
    ...DEFAULT_CONTEXT,
    kernel: recorded.kernel,
    firstStage: recorded.firstStage,
    dialect,
    cachingMode,
    addressBits,
    ...mask,
  };
}
