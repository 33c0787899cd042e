import { Device, NO_PASID } from '../device.ts';
import { ERRNO } from '../errno.ts';
import type { IoctlCall } from '../ioctl.ts';
import type { IommufdObject } from '../objects.ts';
import { mockDevice, mockFlagsKnown } from './mock-backend.ts';
import { idOf } from './mock-op.ts';
import type { MockOp } from './mock-op.ts';

/** The object behind a mock device: destroying it detaches, unbinds and removes the device. */
class MockDeviceObject implements IommufdObject {
  readonly type = 'selftest';
  id = 0;
  users = 1;
  device: Device | undefined = undefined;

  destroy(): void {
    this.device?.detach(NO_PASID);
    this.device?.unbind();
  }
}

function selftestDevice(call: IoctlCall): Device | undefined {
  const object = call.context.objects.find(idOf(call), 'selftest');
  return object instanceof MockDeviceObject ? object.device : undefined;
}

function create(call: IoctlCall, flags: number): number {
  const { context, struct } = call;
  if (!mockFlagsKnown(flags)) return -ERRNO.EINVAL;
  const object = context.objects.add(new MockDeviceObject());
  const { traits, data } = mockDevice(flags);
  const device = context.objects.add(new Device(context, traits, undefined, data));
  object.device = device;
  const hwpt = device.change(NO_PASID, idOf(call), 'attach');
  if (hwpt < 0) {
    context.objects.remove(object);
    return hwpt;
  }
  struct.setU32(16, object.id);
  struct.setU32(20, hwpt);
  struct.setU32(24, device.id);
  return call.respond(() => context.objects.remove(object));
}

function replace(call: IoctlCall): number {
  const device = selftestDevice(call);
  if (device === undefined) return -ERRNO.ENOENT;
  const hwpt = device.change(NO_PASID, call.struct.u32(16), 'replace');
  if (hwpt < 0) return hwpt;
  call.struct.setU32(16, hwpt);
  return call.respond();
}

function pasidChange(call: IoctlCall, how: 'attach' | 'replace'): number {
  const device = selftestDevice(call);
  if (device === undefined) return -ERRNO.ENOENT;
  const pasid = call.struct.u32(16);
  const hwpt = device.change(pasid, call.struct.u32(20), how);
  if (hwpt < 0) return hwpt;
  call.struct.setU32(20, hwpt);
  return call.respond(how === 'attach' ? () => device.detach(pasid) : undefined);
}

function pasidDetach(call: IoctlCall): number {
  const device = selftestDevice(call);
  return device === undefined ? -ERRNO.ENOENT : device.detach(call.struct.u32(16));
}

function pasidCheck(call: IoctlCall): number {
  const { objects } = call.context;
  const device = selftestDevice(call);
  if (device === undefined) return -ERRNO.ENOENT;
  const attached = device.attached(call.struct.u32(16));
  const id = call.struct.u32(20);
  if (id === 0) return attached === undefined ? 0 : -ERRNO.EINVAL;
  const object = objects.get(id);
  if (object === undefined) return -ERRNO.ENOENT;
  return attached === object ? 0 : -ERRNO.EINVAL;
}

export const mockDeviceOps: readonly MockOp[] = [
  { op: 2, name: 'MOCK_DOMAIN', handle: (call) => create(call, 0) },
  { op: 10, name: 'MOCK_DOMAIN_REPLACE', handle: replace },
  { op: 12, name: 'MOCK_DOMAIN_FLAGS', handle: (call) => create(call, call.struct.u32(28)) },
  { op: 18, name: 'PASID_ATTACH', handle: (call) => pasidChange(call, 'attach') },
  { op: 19, name: 'PASID_REPLACE', handle: (call) => pasidChange(call, 'replace') },
  { op: 20, name: 'PASID_DETACH', handle: pasidDetach },
  { op: 21, name: 'PASID_CHECK_HWPT', handle: pasidCheck },
];
