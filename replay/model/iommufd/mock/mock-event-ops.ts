import { ERRNO } from '../errno.ts';
import type { IoctlCall } from '../ioctl.ts';
import { reportPageRequests } from '../page-fault.ts';
import { StructView } from '../struct-view.ts';
import type { MockDevice } from './mock-nested.ts';
import { MockNestedDomain } from './mock-nested.ts';
import type { MockOp } from './mock-op.ts';

const FAULT_FLAG = { pasidValid: 1, lastPage: 2 } as const;
const MOCK_EVENT = 0xbeef_beef;

/** {16 dev_id, 20 pasid, 24 grpid, 28 perm, 32 addr}: one group of one page; 0 whoever takes it. */
function triggerFault({ context, struct }: IoctlCall): number {
  const device = context.objects.find(struct.u32(16), 'device');
  if (device === undefined) return -ERRNO.ENOENT;
  const pasid = struct.u32(20);
  const flags = pasid === 0 ? FAULT_FLAG.lastPage : FAULT_FLAG.lastPage | FAULT_FLAG.pasidValid;
  reportPageRequests(device, [{ flags, pasid, grpid: struct.u32(24), perm: struct.u32(28), addr: struct.u64(32) }]);
  return 0;
}

/** {16 dev_id}: an event of the vIOMMU that the device's RID is attached through, with its virtual id. */
function triggerEvent({ context, struct }: IoctlCall): number {
  const device = context.objects.find(struct.u32(16), 'device');
  if (device === undefined) return -ERRNO.ENOENT;
  const domain = device.attached()?.domain;
  const viommu = domain instanceof MockNestedDomain ? domain.viommu : undefined;
  const { virtualId } = device.driverData as MockDevice;
  if (viommu === undefined || virtualId === 0n) return -ERRNO.ENOENT;
  const queue = viommu.veventqs.get(MOCK_EVENT);
  if (queue === undefined) return -ERRNO.EOPNOTSUPP;
  const event = new StructView(new Uint8Array(4));
  event.setU32(0, Number(virtualId & 0xffff_ffffn));
  queue.report(event.bytes);
  return 0;
}

export const mockEventOps: readonly MockOp[] = [
  { op: 15, name: 'TRIGGER_IOPF', handle: triggerFault },
  { op: 17, name: 'TRIGGER_VEVENT', handle: triggerEvent },
];
