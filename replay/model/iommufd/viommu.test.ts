import { describe, expect, test } from 'vitest';
import { ERRNO } from './errno.ts';
import { DATA, MockCalls } from './mock/testing/mock-calls.ts';
import { applySystemCall, exit } from './system-calls.ts';

const INITIAL_CACHE = 0xbad_dad;

/** A nesting parent, a vIOMMU on it and a nested HWPT through it, for one mock device. */
function setUp() {
  const calls = new MockCalls();
  const ioas = calls.ioas();
  const device = calls.device(ioas);
  const parent = calls.paging(device.id, ioas, 1).struct.u32(16);
  const viommu = calls.viommu(device.id, parent).struct.u32(20);
  const nested = calls.nested(device.id, viommu).struct.u32(16);
  expect([ioas, device.object, device.id, device.hwpt, parent, viommu, nested]).toEqual([1, 2, 3, 4, 5, 6, 7]);
  return { calls, ioas, device, parent, viommu, nested };
}

function cache(calls: MockCalls, device: number, words: readonly number[]): number[] {
  return words.map((word, i) => calls.mock(16, device, i, word).ret);
}

describe('VIOMMU_ALLOC', () => {
  test('refuses in this order', () => {
    const { calls, ioas, device, parent, viommu } = setUp();
    expect(calls.viommu(device.id, parent, 0).ret).toBe(-ERRNO.EOPNOTSUPP);
    expect(calls.viommu(99, 99, 0xdead).ret).toBe(-ERRNO.ENOENT);
    expect(calls.viommu(device.id, 99, 0xdead).ret).toBe(-ERRNO.EOPNOTSUPP);
    expect(calls.viommu(device.id, 99).ret).toBe(-ERRNO.ENOENT);
    expect(calls.viommu(device.id, ioas).ret).toBe(-ERRNO.ENOENT);
    const plain = calls.paging(device.id, ioas, 0).struct.u32(16);
    expect(calls.viommu(device.id, plain).ret).toBe(-ERRNO.EINVAL);
    expect(calls.viommu(device.id, parent, undefined, 4).ret).toBe(-ERRNO.EINVAL);
    expect(calls.viommu(device.id, parent, undefined, 25).ret).toBe(-ERRNO.EINVAL);
    expect(calls.destroy(plain)).toBe(0);
    expect(calls.destroy(parent)).toBe(-ERRNO.EBUSY);
    expect(calls.destroy(viommu)).toBe(-ERRNO.EBUSY);
  });

  test('without a device there is none', () => {
    const calls = new MockCalls();
    calls.ioas();
    expect(calls.viommu(0, 0).ret).toBe(-ERRNO.ENOENT);
    expect(calls.vdevice(0, 0, 0x99).ret).toBe(-ERRNO.ENOENT);
  });

  test('driver data comes back, with memory that can be mapped as a whole only', () => {
    const { calls, device, parent } = setUp();
    calls.put(DATA, 0xbeef, 0, 0, 0, 0, 0);
    const id = calls.viommu(device.id, parent, undefined, 24).struct.u32(20);
    const [, out, offset = 0, , length = 0] = calls.words(DATA, 6);
    expect([out, offset, length]).toEqual([0xbeef, 0x1000, 0x2000]);
    const { mmapRegions } = calls.context;
    expect(mmapRegions.map(offset + 0x1000, length, 3, true)).toBe(-ERRNO.ENXIO);
    expect(mmapRegions.map(offset, length * 2, 3, true)).toBe(-ERRNO.ENXIO);
    const at = 0x5000_0000;
    const call = { pid: 1, fd: -1, data: undefined, path: undefined };
    applySystemCall(calls.machine, {
      ...call,
      name: 'mmap',
      args: [0, length, 3, 1, calls.fd, offset],
      ret: at,
    });
    expect(calls.destroy(id)).toBe(-ERRNO.EBUSY);
    // Frames without pages can't be pinned for a domain.
    expect(calls.call(0x3b85, 7, 1, 0, at, 0, 0x1000, 0, 0x100_0000, 0).ret).toBe(-ERRNO.EFAULT);
    applySystemCall(calls.machine, { ...call, name: 'munmap', args: [at, length], ret: 0 });
    expect(calls.destroy(id)).toBe(0);
    // The offset is free again.
    calls.put(DATA, 1, 0, 0, 0, 0, 0);
    calls.viommu(device.id, parent, undefined, 24);
    expect(calls.words(DATA, 3)[2]).toBe(0x1000);
  });

  test.each(['munmap', 'exit'])('memory that is mapped keeps the closed context, until %s', (how) => {
    const { calls, device, parent } = setUp();
    calls.put(DATA, 0xbeef, 0, 0, 0, 0, 0);
    calls.viommu(device.id, parent, undefined, 24);
    const [, , offset = 0, , length = 0] = calls.words(DATA, 6);
    const { machine, context, fd } = calls;
    const at = 0x5000_0000;
    const call = { pid: 1, fd: -1, data: undefined, path: undefined };
    applySystemCall(machine, { ...call, name: 'mmap', args: [0, length, 3, 1, fd, offset], ret: at });
    const held = context.objects.count;
    applySystemCall(machine, { ...call, name: 'close', fd, args: [fd], ret: 0 });
    expect(context.objects.count).toBe(held);
    applySystemCall(machine, { ...call, name: 'munmap', args: [at, 4096], ret: 0 });
    expect(context.objects.count).toBe(held);
    if (how === 'exit') exit(machine, 1);
    else applySystemCall(machine, { ...call, name: 'munmap', args: [at, length], ret: 0 });
    expect(context.objects.count).toBe(0);
    expect(machine.mappedContexts.size).toBe(0);
  });
});

describe('vDEVICE', () => {
  test('a nested attach needs one; its virtual id is that of the attach', () => {
    const { calls, ioas, device, viommu, nested } = setUp();
    expect(calls.replace(device.object, nested)).toBe(-ERRNO.ENOENT);
    expect(calls.mock(17, 0, device.id).ret).toBe(-ERRNO.ENOENT);
    const queue = calls.call(0x3b93, 0, viommu, 0xbeef_beef, 2, 0, 0, 0).struct;
    const vdevice = calls.vdevice(viommu, device.id, 0x99).struct.u32(12);
    expect(calls.vdevice(viommu, device.id, 0x88).ret).toBe(-ERRNO.EEXIST);
    expect(calls.replace(device.object, nested)).toBe(0);
    // Another vDEVICE, but no other attach.
    expect(calls.destroy(vdevice)).toBe(0);
    calls.vdevice(viommu, device.id, 0x88);
    expect(calls.mock(17, 0, device.id).ret).toBe(0);
    const again = calls.nested(device.id, viommu).struct.u32(16);
    expect(calls.replace(device.object, again)).toBe(0);
    expect(calls.mock(17, 0, device.id).ret).toBe(0);
    expect(calls.replace(device.object, ioas)).toBe(0);
    expect(calls.mock(17, 0, device.id).ret).toBe(-ERRNO.ENOENT);
    expect(calls.replace(device.object, nested)).toBe(0);
    expect(calls.mock(17, 0, device.id).ret).toBe(0);
    const events = calls.read(queue.u32(24), 64);
    expect(events).toEqual(
      Uint8Array.of(
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0x99,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0x99,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        2,
        0,
        0,
        0,
      ),
    );
  });

  test('a virtual id is taken once; the id of a torn down one is gone for good', () => {
    const { calls, ioas, device, viommu } = setUp();
    const other = calls.device(ioas);
    const vdevice = calls.vdevice(viommu, device.id, 0x99).struct.u32(12);
    expect(calls.vdevice(viommu, other.id, 0x99).ret).toBe(-ERRNO.EEXIST);
    expect(calls.destroy(device.object)).toBe(0);
    expect(calls.destroy(vdevice)).toBe(-ERRNO.ENOENT);
    expect(calls.vdevice(viommu, other.id, 0x99).ret).toBe(0);
    expect([calls.ioas(), calls.ioas(), calls.ioas()]).not.toContain(vdevice);
    expect(calls.call(0x3b87, 0, 0, 0, 1, 0).ret).toBe(-ERRNO.EBUSY);
  });

  test('entries name it by virtual id; what was done before a bad one stays done', () => {
    const { calls, device, viommu } = setUp();
    const initial = new Array<number>(4).fill(INITIAL_CACHE);
    calls.vdevice(viommu, device.id, 0x99);
    expect(cache(calls, device.id, initial)).toEqual([0, 0, 0, 0]);
    expect(calls.invalidate(viommu, 12, 0)).toEqual([0, 0]);
    calls.put(DATA, 0, 0x99, 0, 0, 0x99, 1, 0, 0, 0);
    expect(calls.invalidate(viommu, 12, 1, 0xdad_beef)).toEqual([-ERRNO.EINVAL, 0]);
    expect(calls.invalidate(viommu, 12, 0, 0xdad_beef)).toEqual([-ERRNO.EINVAL, 0]);
    expect(calls.invalidate(viommu, 0, 1)).toEqual([-ERRNO.EINVAL, 0]);
    expect(calls.invalidate(viommu, 12, 1, undefined, 0)).toEqual([-ERRNO.EINVAL, 0]);
    expect(calls.invalidate(viommu, 4097, 1)).toEqual([-ERRNO.EINVAL, 0]);
    expect(calls.invalidate(viommu, 12, (1 << 19) + 1)).toEqual([-ERRNO.EINVAL, 0]);
    // More than one kmalloc gives: the count stays.
    expect(calls.invalidate(viommu, 12, 1 << 19)).toEqual([-ERRNO.ENOMEM, 1 << 19]);
    // Shorter entries are extended by zeros: virtual id 0 is nobody's.
    expect(calls.invalidate(viommu, 4, 1)).toEqual([-ERRNO.EINVAL, 0]);
    calls.put(DATA, 0, 0x99, 0, 1);
    expect(calls.invalidate(viommu, 16, 1)).toEqual([-ERRNO.E2BIG, 0]);
    expect(cache(calls, device.id, initial)).toEqual([0, 0, 0, 0]);
    calls.put(DATA, 0, 0x99, 0, 0xffff_ffff, 0x99, 1);
    expect(calls.invalidate(viommu, 12, 2)).toEqual([-ERRNO.EOPNOTSUPP, 1]);
    expect(cache(calls, device.id, [0, INITIAL_CACHE, INITIAL_CACHE, INITIAL_CACHE])).toEqual([0, 0, 0, 0]);
    calls.put(DATA, 0, 0x99, 1, 0, 0x99, 4);
    expect(calls.invalidate(viommu, 12, 2)).toEqual([-ERRNO.EINVAL, 1]);
    expect(cache(calls, device.id, [0, 0, INITIAL_CACHE, INITIAL_CACHE])).toEqual([0, 0, 0, 0]);
    calls.put(DATA, 1, 0x99, 0);
    expect(calls.invalidate(viommu, 12, 1)).toEqual([0, 1]);
    expect(cache(calls, device.id, [0, 0, 0, 0])).toEqual([0, 0, 0, 0]);
    expect(calls.mock(16, device.id, 4, 0).ret).toBe(-ERRNO.EINVAL);
  });
});

describe('HW_QUEUE_ALLOC', () => {
  test('a range that wraps when rounded to pages is out of range', () => {
    const { calls, viommu } = setUp();
    const queue = (iova: readonly [number, number], length: readonly [number, number], type = 0xdead_beef): number =>
      calls.call(0x3b94, 0, viommu, type, 0, 0, ...iova, ...length).ret;
    const most = 0xffff_ffff;
    expect(queue([0, 0], [most, most], 0)).toBe(-ERRNO.EOPNOTSUPP);
    expect(queue([2, 0], [most, most])).toBe(-ERRNO.EOVERFLOW);
    expect(queue([0, 0], [most, most])).toBe(-ERRNO.ERANGE);
    expect(queue([1, 0], [most, most])).toBe(-ERRNO.ERANGE);
    expect(queue([0, 0], [0, 0x100])).toBe(-ERRNO.ENOMEM);
    expect(queue([0xffff_f000, most], [0x1000, 0])).toBe(-ERRNO.ENOENT);
  });
});
