import type { Device } from './device.ts';
import { ERRNO } from './errno.ts';
import { HWPT_FLAG, HwptPaging } from './hwpt.ts';
import type { Ioas } from './ioas.ts';
import type { DriverData } from './parts.ts';

const NO_DATA: DriverData = { type: 0, length: 0, address: 0n, read: () => -ERRNO.EINVAL };

/**
 * iommufd_hwpt_paging_alloc: a domain of the device's driver, filled with all areas of the IOAS. `attach`: the PASID by which
 * the device is attached before it is filled (automatic domains). A negative errno undoes everything.
 */
export function allocPaging(
  device: Device,
  ioas: Ioas,
  flags: number,
  data: DriverData | undefined,
  attach: number | undefined,
): HwptPaging | number {
  const { context } = device;
  if ((flags & ~15) !== 0) return -ERRNO.EOPNOTSUPP;
  if ((flags & HWPT_FLAG.dirty) !== 0 && !device.traits.dirtyTracking) return -ERRNO.EOPNOTSUPP;
  if ((flags & HWPT_FLAG.fault) !== 0 && (flags & HWPT_FLAG.nestParent) !== 0) return -ERRNO.EOPNOTSUPP;
  const domain = context.backend.allocPaging(device, flags & ~HWPT_FLAG.fault, data ?? NO_DATA);
  if (typeof domain === 'number') return domain;
  const hwpt = context.objects.add(new HwptPaging(context, ioas, domain, flags));
  if (attach !== undefined) {
    const ret = device.attachTo(attach, hwpt);
    if (ret !== 0) {
      context.objects.remove(hwpt);
      return ret;
    }
  }
  const ret = ioas.addDomain(domain);
  if (ret !== 0) {
    if (attach !== undefined) device.detach(attach);
    context.objects.remove(hwpt);
    return ret;
  }
  return hwpt;
}
