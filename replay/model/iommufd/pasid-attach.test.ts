import { describe, expect, test } from 'vitest';
import { ERRNO } from './errno.ts';
import { MockCalls } from './mock/testing/mock-calls.ts';
import type { MockDeviceIds } from './mock/testing/mock-calls.ts';

const PASIDS = 4;

/** A device with PASIDs whose RID goes through a PASID-compatible HWPT, and such a HWPT of each kind. */
function setUp(flags = PASIDS) {
  const calls = new MockCalls();
  const ioas = calls.ioas();
  const device = calls.device(ioas, flags);
  const parent = calls.paging(device.id, ioas, 1).struct.u32(16);
  const nested = [0, 1].map(() => calls.nested(device.id, parent, 8).struct.u32(16));
  const queue = calls.call(0x3b8e, 0, 0, 0).struct;
  const fault = { id: queue.u32(8), fd: queue.u32(12) };
  const faulting = calls.nested(device.id, parent, 12, fault.id).struct.u32(16);
  const viommu = calls.viommu(device.id, parent).struct.u32(20);
  const guest = calls.nested(device.id, viommu, 8).struct.u32(16);
  const paging = calls.paging(device.id, ioas, 8).struct.u32(16);
  return { calls, ioas, device, parent, nested, fault, faulting, guest, paging };
}

const attach = (calls: MockCalls, { object }: MockDeviceIds, pasid: number, pt: number): number =>
  calls.mock(18, object, pasid, pt).ret;
const replace = (calls: MockCalls, { object }: MockDeviceIds, pasid: number, pt: number): number =>
  calls.mock(19, object, pasid, pt).ret;
const detach = (calls: MockCalls, { object }: MockDeviceIds, pasid: number): number =>
  calls.mock(20, object, pasid).ret;
const check = (calls: MockCalls, { object }: MockDeviceIds, pasid: number, hwpt: number): number =>
  calls.mock(21, object, pasid, hwpt).ret;

describe('PASID attach', () => {
  test('RID and PASIDs both need HWPTs that were allocated for it', () => {
    const { calls, ioas, device, parent, nested, paging } = setUp();
    expect(attach(calls, device, 100, paging)).toBe(-ERRNO.EINVAL);
    expect(calls.replace(device.object, parent)).toBe(0);
    expect(attach(calls, device, 100, paging)).toBe(-ERRNO.EINVAL);
    expect(calls.replace(device.object, paging)).toBe(0);
    expect(attach(calls, device, 100, parent)).toBe(-ERRNO.EINVAL);
    expect(attach(calls, device, 100, ioas)).toBe(-ERRNO.EINVAL);
    expect(attach(calls, device, 100, nested[0] ?? 0)).toBe(0);
    expect(calls.replace(device.object, parent)).toBe(-ERRNO.EINVAL);
    expect(calls.replace(device.object, ioas)).toBe(-ERRNO.EINVAL);
    expect(check(calls, device, 0, paging)).toBe(0);
    expect(detach(calls, device, 100)).toBe(0);
    expect(calls.replace(device.object, parent)).toBe(0);
  });

  test('attaches once, replaces what is there, detaches whatever there is', () => {
    const { calls, ioas, device, parent, nested, guest, paging } = setUp();
    const [first = 0, second = 0] = nested;
    calls.replace(device.object, paging);
    expect(check(calls, device, 100, 0)).toBe(0);
    expect(check(calls, device, 100, paging)).toBe(-ERRNO.EINVAL);
    expect(check(calls, device, 100, ioas)).toBe(-ERRNO.EINVAL);
    expect(check(calls, device, 100, 99)).toBe(-ERRNO.ENOENT);
    expect(attach(calls, device, 100, paging)).toBe(0);
    expect(attach(calls, device, 100, paging)).toBe(-ERRNO.EBUSY);
    expect(attach(calls, device, 100, first)).toBe(-ERRNO.EBUSY);
    expect(check(calls, device, 100, 0)).toBe(-ERRNO.EINVAL);
    expect(detach(calls, device, 100)).toBe(0);
    expect(detach(calls, device, 100)).toBe(0);
    expect(replace(calls, device, 200, paging)).toBe(-ERRNO.EINVAL);
    expect(attach(calls, device, 200, paging)).toBe(0);
    expect(replace(calls, device, 200, parent)).toBe(-ERRNO.EINVAL);
    expect(replace(calls, device, 200, ioas)).toBe(-ERRNO.EINVAL);
    expect(check(calls, device, 200, paging)).toBe(0);
    // A PASID needs no vDEVICE.
    for (const hwpt of [first, second, second, guest]) expect(replace(calls, device, 200, hwpt)).toBe(0);
    expect(check(calls, device, 200, guest)).toBe(0);
    expect(calls.destroy(guest)).toBe(-ERRNO.EBUSY);
    expect(calls.destroy(first)).toBe(0);
    expect(detach(calls, device, 200)).toBe(0);
    expect(calls.destroy(guest)).toBe(0);
  });

  test('PASID 1024: every second change fails, and leaves what was there', () => {
    const { calls, device, nested, paging } = setUp();
    const [first = 0] = nested;
    calls.replace(device.object, paging);
    expect(attach(calls, device, 1024, paging)).toBe(0);
    expect(replace(calls, device, 1024, first)).toBe(-ERRNO.ENOMEM);
    expect(check(calls, device, 1024, paging)).toBe(0);
    expect(replace(calls, device, 1024, first)).toBe(0);
    expect(detach(calls, device, 1024)).toBe(0);
    expect(attach(calls, device, 1024, first)).toBe(0);
  });

  test('PASIDs end where the device says; a device without has only 0, its RID', () => {
    for (const [flags, last] of [
      [PASIDS, 0xf_ffff],
      [0, 0],
    ] as const) {
      const { calls, device, paging } = setUp(flags);
      calls.replace(device.object, paging);
      if (last > 0) expect(attach(calls, device, last, paging)).toBe(0);
      expect(attach(calls, device, last + 1, paging)).toBe(-ERRNO.EINVAL);
      expect(attach(calls, device, 0xffff_ffff, paging)).toBe(-ERRNO.EINVAL);
      expect(attach(calls, device, 0, paging)).toBe(-ERRNO.EBUSY);
      expect(detach(calls, device, 0)).toBe(0);
      expect(calls.replace(device.object, paging)).toBe(-ERRNO.EINVAL);
      expect(attach(calls, device, 0, paging)).toBe(0);
      expect(check(calls, device, 0, paging)).toBe(0);
    }
  });

  test('a PASID has faults of its own; those of PASIDs that are not attached go to a nested RID', () => {
    const { calls, device, fault, faulting, paging } = setUp();
    const trigger = (pasid: number): void => {
      expect(calls.mock(15, 0, device.id, pasid, 2, 3, 0x1000, 0).ret).toBe(0);
    };
    calls.replace(device.object, paging);
    trigger(2048);
    expect(calls.read(fault.fd, 400)).toHaveLength(0);
    expect(attach(calls, device, 2048, faulting)).toBe(0);
    trigger(2048);
    trigger(2049);
    trigger(0);
    expect(calls.read(fault.fd, 400)).toHaveLength(40);
    trigger(2048);
    expect(replace(calls, device, 2048, paging)).toBe(0);
    expect(calls.read(fault.fd, 400)).toHaveLength(0);
    expect(detach(calls, device, 2048)).toBe(0);
    calls.replace(device.object, faulting);
    expect(attach(calls, device, 7, paging)).toBe(0);
    for (const pasid of [0, 7, 2049]) trigger(pasid);
    expect(calls.read(fault.fd, 400)).toHaveLength(80);
    expect(detach(calls, device, 7)).toBe(0);
    calls.replace(device.object, paging);
    expect(calls.destroy(faulting)).toBe(0);
    expect(calls.destroy(fault.id)).toBe(-ERRNO.EBUSY);
    calls.process.close(fault.fd);
    expect(calls.destroy(fault.id)).toBe(0);
  });
});
