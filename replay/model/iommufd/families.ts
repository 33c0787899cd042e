import { faultQueueIoctls } from './fault-queue.ts';
import { dirtyIoctls } from './dirty-ioctls.ts';
import { generalIoctls } from './general-ioctls.ts';
import { hwQueueIoctls } from './hw-queue.ts';
import { hwptIoctls } from './hwpt-ioctls.ts';
import { invalidateIoctls } from './invalidate.ts';
import { ioasIoctls } from './ioas-ioctls.ts';
import { ioctlTable } from './ioctl.ts';
import { mockIoctls } from './mock/mock-ops.ts';
import { vdeviceIoctls } from './vdevice.ts';
import { veventqIoctls } from './veventq.ts';
import { viommuIoctls } from './viommu.ts';

/** Every call on an iommufd by request number. A family of calls is one line here. */
export const iommufdIoctls = ioctlTable([
  dirtyIoctls,
  generalIoctls,
  ioasIoctls,
  hwptIoctls,
  invalidateIoctls,
  faultQueueIoctls,
  viommuIoctls,
  vdeviceIoctls,
  veventqIoctls,
  hwQueueIoctls,
  mockIoctls,
]);
