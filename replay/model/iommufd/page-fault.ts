import { NO_PASID } from './device.ts';
import type { Device } from './device.ts';
import type { PageRequest } from './fault-queue.ts';
import type { Hwpt } from './hwpt.ts';

const PASID_VALID = 1;

/** The attachment that takes a device's page requests: by PASID, or for a guest's own PASID table by RID. */
function handler(device: Device, request: PageRequest): { readonly hwpt: Hwpt; readonly pasid: number } | undefined {
  if ((request.flags & PASID_VALID) !== 0) {
    const hwpt = device.attached(request.pasid);
    if (hwpt !== undefined) return { hwpt, pasid: request.pasid };
    const rid = device.attached(NO_PASID);
    return device.traits.userPasidTable && rid?.type === 'hwptNested' ? { hwpt: rid, pasid: NO_PASID } : undefined;
  }
  const hwpt = device.attached(NO_PASID);
  return hwpt === undefined ? undefined : { hwpt, pasid: NO_PASID };
}

/**
 * A whole group of page requests of a device, the last one with its LAST flag (iommu_report_device_fault). False where nobody
 * takes it: it is answered INVALID at once.
 */
export function reportPageRequests(device: Device, group: readonly PageRequest[]): boolean {
  const last = group.at(-1);
  const found = last === undefined ? undefined : handler(device, last);
  if (found?.hwpt.fault === undefined) return false;
  found.hwpt.fault.report(device, found.hwpt, found.pasid, group);
  return true;
}
