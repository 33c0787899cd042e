import { ERRNO } from './errno.ts';
import type { Device } from './device.ts';
import { HWPT_FLAG, HwptNested } from './hwpt.ts';
import type { Hwpt, HwptPaging } from './hwpt.ts';
import { allocPaging } from './hwpt-paging-alloc.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import type { DriverData, ViommuObject } from './parts.ts';
import type { Process } from './process.ts';

/** Data for the driver behind a call's pointer. */
export function driverData(process: Process, type: number, length: number, address: bigint): DriverData {
  const read = (minimum: number, size: number): Uint8Array | number => {
    if (length < minimum || length > size) return -ERRNO.EINVAL;
    const bytes = process.memory.read(address, length);
    if (bytes === undefined) return -ERRNO.EFAULT;
    const whole = new Uint8Array(size);
    whole.set(bytes);
    return whole;
  };
  return { type, length, address, read };
}

function allocNested(device: Device, parent: HwptPaging, flags: number, data: DriverData): HwptNested | number {
  const { context } = device;
  const { backend } = context;
  if ((flags & ~(HWPT_FLAG.fault | HWPT_FLAG.pasid)) !== 0 || data.length === 0) return -ERRNO.EOPNOTSUPP;
  if (backend.allocNested === undefined) return -ERRNO.EOPNOTSUPP;
  if (parent.auto || !parent.nestParent) return -ERRNO.EINVAL;
  const domain = backend.allocNested(device, parent, flags & ~HWPT_FLAG.fault, data);
  if (typeof domain === 'number') return domain;
  return context.objects.add(new HwptNested(context, parent, domain, flags));
}

function allocOnViommu(device: Device, viommu: ViommuObject, flags: number, data: DriverData): HwptNested | number {
  const { context } = device;
  if (device.traits.iommu !== viommu.iommu) return -ERRNO.EINVAL;
  if ((flags & ~(HWPT_FLAG.fault | HWPT_FLAG.pasid)) !== 0 || data.length === 0) return -ERRNO.EOPNOTSUPP;
  const domain = viommu.allocNested(device, flags & ~HWPT_FLAG.fault, data);
  if (typeof domain === 'number') return domain;
  return context.objects.add(new HwptNested(context, viommu.parent, domain, flags, viommu));
}

function alloc(call: IoctlCall): number {
  const { context, struct } = call;
  const { objects } = context;
  const flags = struct.u32(4);
  const type = struct.u32(24);
  const length = struct.u32(28);
  if (struct.u32(20) !== 0) return -ERRNO.EOPNOTSUPP;
  if ((type === 0) !== (length === 0)) return -ERRNO.EINVAL;
  const device = objects.find(struct.u32(8), 'device');
  if (device === undefined) return -ERRNO.ENOENT;
  const data = driverData(call.process, type, length, struct.u64(32));
  const hwpt = allocOn(call, device, struct.u32(12), flags, data);
  if (typeof hwpt === 'number') return hwpt;
  if ((flags & HWPT_FLAG.fault) !== 0) {
    const fault = objects.find(struct.u32(40), 'fault');
    if (fault === undefined) {
      objects.remove(hwpt);
      return -ERRNO.ENOENT;
    }
    hwpt.fault = fault;
    fault.users++;
  }
  struct.setU32(16, hwpt.id);
  return call.respond(() => objects.remove(hwpt));
}

function allocOn({ context }: IoctlCall, device: Device, id: number, flags: number, data: DriverData): Hwpt | number {
  const { objects } = context;
  const ioas = objects.find(id, 'ioas');
  if (ioas !== undefined) return allocPaging(device, ioas, flags, data.length === 0 ? undefined : data, undefined);
  const parent = objects.find(id, 'hwptPaging');
  if (parent !== undefined) return allocNested(device, parent, flags, data);
  const viommu = objects.find(id, 'viommu');
  if (viommu !== undefined) return allocOnViommu(device, viommu, flags, data);
  return -ERRNO.EINVAL;
}

function hwInfo(call: IoctlCall): number {
  const { context, struct, process } = call;
  if ((struct.u32(4) & ~1) !== 0) return -ERRNO.EOPNOTSUPP;
  if ((struct.u32(28) & ~0xff) !== 0) return -ERRNO.EOPNOTSUPP;
  if ((struct.u32(4) & 1) === 0) struct.setU32(24, 0);
  const device = context.objects.find(struct.u32(8), 'device');
  if (device === undefined) return -ERRNO.ENOENT;
  const info = context.backend.hwInfo?.(device, struct.u32(24)) ?? { type: 0, bytes: new Uint8Array(0) };
  if (typeof info === 'number') return info;
  const room = struct.u32(12);
  const address = struct.u64(16);
  const copied = Math.min(room, info.bytes.length);
  if (!process.memory.write(address, info.bytes.subarray(0, copied))) return -ERRNO.EFAULT;
  if (copied < room && !process.memory.clear(address + BigInt(copied), room - copied)) return -ERRNO.EFAULT;
  struct.setU32(12, info.bytes.length);
  struct.setU32(24, info.type);
  struct.setU8(28, device.traits.pasidBits);
  const { dirtyTracking, capabilities } = device.traits;
  struct.setU64(32, BigInt((dirtyTracking ? 1 : 0) | capabilities));
  return call.respond();
}

export const hwptIoctls: readonly IoctlSpec[] = [
  { request: 0x3b89, name: 'IOMMU_HWPT_ALLOC', minSize: 24, size: 48, handle: alloc },
  { request: 0x3b8a, name: 'IOMMU_GET_HW_INFO', minSize: 32, size: 40, handle: hwInfo },
];
