import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from './backing.ts';
import { ERRNO } from './errno.ts';
import { DATA, MockCalls } from './mock/testing/mock-calls.ts';
import { BUFFER } from './simulated-calls.ts';

const IOVA = 0x100_0000;

/** A vIOMMU with its parent and a nested HWPT, a page mapped; the calls' structs can then only be read. */
function setUp() {
  const calls = new MockCalls();
  const ioas = calls.ioas();
  const device = calls.device(ioas, 4);
  const parent = calls.paging(device.id, ioas, 1).struct.u32(16);
  const viommu = calls.viommu(device.id, parent).struct.u32(20);
  const nested = calls.nested(device.id, parent).struct.u32(16);
  const compatible = calls.paging(device.id, ioas, 10).struct.u32(16);
  calls.replace(device.object, compatible);
  expect(calls.call(0x3b85, 7, ioas, 0, BUFFER, 0, 0x1000, 0, IOVA, 0).ret).toBe(0);
  const writable = (on: boolean): void => calls.process.memory.protect(calls.argument, PAGE_SIZE, on ? 3 : 1);
  /** Result of a call whose struct can't be written. */
  const refused = (call: () => number): number => {
    writable(false);
    const ret = call();
    writable(true);
    return ret;
  };
  return { calls, ioas, device, parent, viommu, nested, compatible, refused };
}

describe('a result that can not be written', () => {
  test('leaves no object, no id, no descriptor', () => {
    const { calls, ioas, device, parent, viommu, refused } = setUp();
    const { objects, mmapRegions } = calls.context;
    const before = [...objects.values()].map(({ id, type, users }) => ({ id, type, users }));
    const fds = [...calls.process.fds.keys()];
    const queue = calls.process.nextFd();
    calls.put(DATA + 0x1000, 0);
    const makers: readonly (() => number)[] = [
      () => calls.call(0x3b81, 0, 0).ret,
      () => calls.paging(device.id, ioas, 3).ret,
      () => calls.nested(device.id, parent).ret,
      () => calls.nested(device.id, viommu).ret,
      () => calls.call(0x3b8e, 0, 0, 0).ret,
      () => calls.viommu(device.id, parent).ret,
      () => calls.viommu(device.id, parent, undefined, 24).ret,
      () => calls.vdevice(viommu, device.id, 0x99).ret,
      () => calls.call(0x3b93, 0, viommu, 0xbeef_beef, 1, 0, 0, 0).ret,
      () => calls.mock(12, ioas, 0, 0, 0, 0).ret,
      () => calls.mock(5, ioas, 0, 1).ret,
    ];
    for (const make of makers) {
      expect(refused(make)).toBe(-ERRNO.EFAULT);
      expect([...objects.values()].map(({ id, type, users }) => ({ id, type, users }))).toEqual(before);
      expect([...calls.process.fds.keys()]).toEqual(fds);
    }
    expect(mmapRegions.map(0x1000, 0x2000, 3, true)).toBe(-ERRNO.ENXIO);
    expect(calls.process.nextFd()).toBe(queue);
    expect(calls.vdevice(viommu, device.id, 0x99).ret).toBe(0);
  });

  test('of a hardware queue: its page can be unmapped', () => {
    const { calls, ioas, viommu, refused } = setUp();
    const queue = (): number => calls.call(0x3b94, 0, viommu, 0xdead_beef, 0, 0, IOVA, 0, 0x800, 0).ret;
    expect(refused(queue)).toBe(-ERRNO.EFAULT);
    expect(queue()).toBe(0);
    expect(calls.call(0x3b86, ioas, IOVA, 0, 0x1000, 0).ret).toBe(-ERRNO.EBUSY);
  });

  test('a PASID is detached again; what was replaced stays', () => {
    const { calls, ioas, device, nested, compatible, refused } = setUp();
    expect(refused(() => calls.mock(18, device.object, 100, compatible).ret)).toBe(-ERRNO.EFAULT);
    expect(calls.mock(21, device.object, 100, 0).ret).toBe(0);
    const other = calls.paging(device.id, ioas, 8).struct.u32(16);
    expect(calls.mock(18, device.object, 100, compatible).ret).toBe(0);
    expect(refused(() => calls.mock(19, device.object, 100, other).ret)).toBe(-ERRNO.EFAULT);
    expect(calls.mock(21, device.object, 100, other).ret).toBe(0);
    calls.mock(20, device.object, 100);
    expect(refused(() => calls.replace(device.object, nested))).toBe(-ERRNO.EFAULT);
    expect(calls.mock(21, device.object, 0, nested).ret).toBe(0);
    // A first attach through PASID 0 is the RID's.
    calls.mock(20, device.object, 0);
    expect(refused(() => calls.mock(18, device.object, 0, ioas).ret)).toBe(-ERRNO.EFAULT);
    expect(calls.mock(21, device.object, 0, 0).ret).toBe(0);
  });

  test('invalidations and dirty state stay done', () => {
    const { calls, nested, compatible, refused } = setUp();
    calls.put(DATA, 1, 0);
    expect(refused(() => calls.invalidate(nested, 8, 1)[0])).toBe(-ERRNO.EFAULT);
    expect(calls.mock(14, nested, 3, 0).ret).toBe(0);
    expect(calls.call(0x3b8b, 1, compatible, 0).ret).toBe(0);
    calls.put(DATA, 1);
    const dirty = (): number => calls.mock(13, compatible, 0, 0, IOVA, 0, 0x1000, 0, 0x1000, 0, DATA, 0, 0, 0).ret;
    expect(refused(dirty)).toBe(-ERRNO.EFAULT);
    calls.put(DATA, 0);
    // The struct of a bitmap request is not written back.
    expect(refused(() => calls.call(0x3b8c, compatible, 0, 0, IOVA, 0, 0x1000, 0, 0x1000, 0, DATA, 0).ret)).toBe(0);
    expect(calls.words(DATA, 1)).toEqual([1]);
  });
});
