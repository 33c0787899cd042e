import type { NestedDomain } from './backend.ts';
import type { Context } from './context.ts';
import type { Device } from './device.ts';
import { ERRNO } from './errno.ts';
import type { HwptPaging } from './hwpt.ts';
import { driverData } from './hwpt-ioctls.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import type { DriverData, InvalidateOutcome, InvalidateRequest, ViommuObject } from './parts.ts';
import type { Vdevice } from './vdevice.ts';
import type { Veventq } from './veventq.ts';
import type { ViommuDriver } from './viommu-driver.ts';

/** A guest's IOMMU on a nesting parent (drivers/iommu/iommufd/viommu.c). */
export class Viommu implements ViommuObject {
  readonly type = 'viommu';
  id = 0;
  readonly context: Context;
  readonly parent: HwptPaging;
  /** The IOMMU instance of the device that it was made for; vDEVICEs and nested HWPTs must be of the same. */
  readonly iommu: string | undefined;
  /** By virtual id. */
  readonly vdevices = new Map<bigint, Vdevice>();
  /** By type. */
  readonly veventqs = new Map<number, Veventq>();
  /** Set before anybody but its maker sees the object. */
  driver: ViommuDriver | undefined = undefined;
  #users = 1;

  constructor(context: Context, parent: HwptPaging, iommu: string | undefined) {
    this.context = context;
    this.parent = parent;
    this.iommu = iommu;
    parent.users++;
  }

  /** A live mapping of the driver's pages is a user too. */
  get users(): number {
    return this.#mapped() ? this.#users + 1 : this.#users;
  }

  set users(value: number) {
    this.#users = this.#mapped() ? value - 1 : value;
  }

  allocNested(device: Device, flags: number, data: DriverData): NestedDomain | number {
    if (this.driver?.allocNested === undefined) return -ERRNO.EOPNOTSUPP;
    return this.driver.allocNested(device, flags, data);
  }

  invalidate(request: InvalidateRequest): InvalidateOutcome {
    return this.driver?.invalidate?.(request) ?? { done: 0, ret: -ERRNO.EOPNOTSUPP };
  }

  /** The virtual id of a device, by its vDEVICE (iommufd_viommu_get_vdev_id). */
  virtualIdOf(device: Device): bigint | undefined {
    for (const vdevice of this.vdevices.values()) if (vdevice.device === device) return vdevice.virtualId;
    return undefined;
  }

  destroy(): void {
    this.driver?.destroy();
    this.parent.users--;
  }

  #mapped(): boolean {
    const backing = this.driver?.region?.backing;
    if (backing === undefined) return false;
    for (const { memory } of this.context.machine.processes.values()) {
      if (memory.vmas.some((vma) => vma.backing === backing)) return true;
    }
    return false;
  }
}

/** struct iommu_viommu_alloc: flags 4, type 8, dev 12, hwpt 16, out id 20, data_len 24, data_uptr 32. */
function allocate(call: IoctlCall): number {
  const { context, process, struct } = call;
  const type = struct.u32(8);
  if (struct.u32(4) !== 0 || type === 0) return -ERRNO.EOPNOTSUPP;
  const device = context.objects.find(struct.u32(12), 'device');
  if (device === undefined) return -ERRNO.ENOENT;
  const backend = context.backend.viommu;
  if (backend === undefined || !backend.types.includes(type)) return -ERRNO.EOPNOTSUPP;
  const parent = context.objects.find(struct.u32(16), 'hwptPaging');
  if (parent === undefined) return -ERRNO.ENOENT;
  if (!parent.nestParent) return -ERRNO.EINVAL;
  const viommu = context.objects.add(new Viommu(context, parent, device.traits.iommu));
  const length = struct.u32(24);
  const address = struct.u64(32);
  const data = length === 0 ? undefined : driverData(process, type, length, address);
  const driver = backend.create(viommu, data, (bytes) => process.memory.write(address, bytes));
  if (typeof driver === 'number') {
    context.objects.remove(viommu);
    return driver;
  }
  viommu.driver = driver;
  struct.setU32(20, viommu.id);
  return call.respond(() => {
    context.objects.remove(viommu);
  });
}

/** IOMMU_VIOMMU_ALLOC. */
export const viommuIoctls: readonly IoctlSpec[] = [
  { request: 0x3b90, name: 'IOMMU_VIOMMU_ALLOC', minSize: 24, size: 40, handle: allocate },
];
