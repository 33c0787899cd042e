import type { Device } from './device.ts';
import { ERRNO } from './errno.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import type { IommufdObject } from './objects.ts';
import type { Viommu } from './viommu.ts';

/**
 * A device as a vIOMMU's guest knows it. It goes with the device's unbind, which leaves a tombstone: an id that nobody gets
 * again (iommufd_object_tombstone_user).
 */
export class Vdevice implements IommufdObject {
  readonly type = 'vdevice';
  id = 0;
  users = 1;
  readonly viommu: Viommu;
  readonly device: Device;
  readonly virtualId: bigint;

  constructor(viommu: Viommu, device: Device, virtualId: bigint) {
    this.viommu = viommu;
    this.device = device;
    this.virtualId = virtualId;
    viommu.users++;
    viommu.vdevices.set(virtualId, this);
    device.onUnbind = () => device.context.objects.entomb(this);
  }

  destroy(): void {
    this.device.onUnbind = undefined;
    this.viommu.vdevices.delete(this.virtualId);
    this.viommu.users--;
  }
}

/** struct iommu_vdevice_alloc: viommu 4, dev 8, out id 12, virt_id 16. */
function allocate(call: IoctlCall): number {
  const { context, struct } = call;
  const viommu = context.objects.find(struct.u32(4), 'viommu');
  if (viommu === undefined) return -ERRNO.ENOENT;
  const device = context.objects.find(struct.u32(8), 'device');
  if (device === undefined) return -ERRNO.ENOENT;
  if (device.traits.iommu !== viommu.iommu) return -ERRNO.EINVAL;
  // Only a vDEVICE waits for the unbind.
  if (device.onUnbind !== undefined) return -ERRNO.EEXIST;
  const virtualId = struct.u64(16);
  if (viommu.vdevices.has(virtualId)) return -ERRNO.EEXIST;
  const vdevice = context.objects.add(new Vdevice(viommu, device, virtualId));
  struct.setU32(12, vdevice.id);
  return call.respond(() => {
    context.objects.remove(vdevice);
  });
}

/** IOMMU_VDEVICE_ALLOC. */
export const vdeviceIoctls: readonly IoctlSpec[] = [
  { request: 0x3b91, name: 'IOMMU_VDEVICE_ALLOC', minSize: 24, size: 24, handle: allocate },
];
