import { describe, expect, test } from 'vitest';
import { Device, NO_PASID } from './device.ts';
import { ERRNO } from './errno.ts';
import { mockBackend, mockDevice } from './mock/mock-backend.ts';
import type { QuirkName } from './quirks.ts';
import { SimulatedCalls } from './simulated-calls.ts';
import { StructView } from './struct-view.ts';
import { exec } from './system-calls.ts';
import { Unjudged } from './unjudged.ts';

const CALL = {
  destroy: 0x3b80,
  ioasAlloc: 0x3b81,
  hwptAlloc: 0x3b89,
  faultQueue: 0x3b8e,
  viommu: 0x3b90,
  vdevice: 0x3b91,
  veventq: 0x3b93,
} as const;
const OP = { device: 12, replace: 10, fault: 15, event: 17 } as const;
const MOCK = 0xdead_beef;
const MOCK_EVENT = 0xbeef_beef;

/** Counts up the ids that a call gave out. */
class Calls extends SimulatedCalls {
  constructor(quirks: readonly QuirkName[] = []) {
    super(mockBackend, quirks);
  }

  /** A mock device (PASIDs) on a new IOAS. */
  device(): { readonly object: number; readonly hwpt: number; readonly id: number; readonly ioas: number } {
    const ioas = this.call(CALL.ioasAlloc, 0, 0).struct.u32(8);
    const made = this.mock(OP.device, ioas, 0, 0, 0, 4).struct;
    return { object: made.u32(16), hwpt: made.u32(20), id: made.u32(24), ioas };
  }

  hwpt(device: number, parent: number, flags: number, fault = 0): number {
    const { ret, struct } = this.call(CALL.hwptAlloc, flags, device, parent, 0, 0, 0, 0, 0, 0, fault, 0);
    if (ret !== 0) throw new Error(`HWPT_ALLOC gave ${ret}`);
    return struct.u32(16);
  }

  faultQueue(): { readonly id: number; readonly fd: number } {
    const { struct } = this.call(CALL.faultQueue, 0, 0, 0);
    return { id: struct.u32(8), fd: struct.u32(12) };
  }

  fault(device: number, grpid: number): void {
    const { ret } = this.mock(OP.fault, 0, device, 0, grpid, 1, 0x1000, 0);
    if (ret !== 0) throw new Error(`TRIGGER_IOPF gave ${ret}`);
  }

  read(fd: number, count: number, writable?: (offset: number, length: number) => boolean): Uint8Array | number {
    return this.process.fds.get(fd)?.read?.(count, undefined, writable) ?? -1;
  }

  respond(fd: number, ...words: readonly number[]): number {
    const view = new StructView(new Uint8Array(words.length * 4));
    for (const [i, word] of words.entries()) view.setU32(i * 4, word);
    return this.process.fds.get(fd)?.write?.(view.bytes, undefined) ?? -1;
  }

  destroy(id: number): number {
    return this.call(CALL.destroy, id).ret;
  }

  replace(object: number, hwpt: number): number {
    return this.mock(OP.replace, object, hwpt).ret;
  }
}

/** (group, cookie) of each record. */
function groups(records: Uint8Array | number): [number, number][] {
  if (typeof records === 'number') throw new Error(`read gave ${records}`);
  const view = new StructView(records);
  return Array.from({ length: records.length / 40 }, (_, i) => [view.u32(i * 40 + 12), view.u32(i * 40 + 36)]);
}

function faultSetUp(quirks: readonly QuirkName[] = []) {
  const calls = new Calls(quirks);
  const device = calls.device();
  const queue = calls.faultQueue();
  const hwpt = calls.hwpt(device.id, device.ioas, 4, queue.id);
  expect(calls.replace(device.object, hwpt)).toBe(0);
  return { calls, device, queue, hwpt };
}

describe('fault queue', () => {
  test('gives whole records in order, each with the lowest free cookie', () => {
    const { calls, device, queue } = faultSetUp();
    for (const grpid of [7, 8, 9]) calls.fault(device.id, grpid);
    expect(calls.read(queue.fd, 41)).toBe(-ERRNO.ESPIPE);
    expect(calls.read(queue.fd, 0)).toBe(-ERRNO.EINVAL);
    expect(groups(calls.read(queue.fd, 80))).toEqual([
      [7, 1],
      [8, 2],
    ]);
    expect(calls.respond(queue.fd, 1, 0)).toBe(8);
    expect(calls.respond(queue.fd, 1, 0)).toBe(-ERRNO.EINVAL);
    expect(calls.respond(queue.fd, 2, 2)).toBe(-ERRNO.EINVAL);
    expect(groups(calls.read(queue.fd, 400))).toEqual([[9, 1]]);
    expect(calls.read(queue.fd, 40)).toEqual(new Uint8Array(0));
    expect(calls.respond(queue.fd, 1, 0, 2, 1, 5, 0)).toBe(16);
    expect(calls.respond(queue.fd, 1, 0, 2)).toBe(-ERRNO.ESPIPE);
  });

  test('keeps what could not be copied out', () => {
    const { calls, device, queue } = faultSetUp();
    calls.fault(device.id, 1);
    calls.fault(device.id, 2);
    expect(calls.read(queue.fd, 80, () => false)).toBe(-ERRNO.EFAULT);
    expect(groups(calls.read(queue.fd, 80, (offset) => offset === 0))).toEqual([[1, 1]]);
    expect(groups(calls.read(queue.fd, 80))).toEqual([[2, 2]]);
  });

  test('drops what belongs to an attachment that ended', () => {
    const { calls, device, queue, hwpt } = faultSetUp();
    calls.fault(device.id, 1);
    expect(groups(calls.read(queue.fd, 40))).toEqual([[1, 1]]);
    calls.fault(device.id, 2);
    expect(calls.replace(device.object, device.ioas)).toBe(0);
    expect(calls.read(queue.fd, 40)).toEqual(new Uint8Array(0));
    expect(calls.respond(queue.fd, 1, 0)).toBe(-ERRNO.EINVAL);
    calls.fault(device.id, 3);
    expect(calls.read(queue.fd, 40)).toEqual(new Uint8Array(0));
    expect(calls.destroy(queue.id)).toBe(-ERRNO.EBUSY);
    expect(calls.destroy(hwpt)).toBe(0);
    expect(calls.destroy(queue.id)).toBe(-ERRNO.EBUSY);
    calls.process.close(queue.fd);
    expect(calls.destroy(queue.id)).toBe(0);
  });

  test('takes no virtual function that shares its page requests', () => {
    const { calls, device, hwpt } = faultSetUp();
    const { traits, data } = mockDevice(0);
    const shared = calls.context.objects.add(
      new Device(calls.context, { ...traits, sharedPageRequests: true }, undefined, data),
    );
    expect(shared.change(NO_PASID, hwpt, 'attach')).toBe(-ERRNO.EINVAL);
    const auto = shared.change(NO_PASID, device.ioas, 'attach');
    expect(auto).toBeGreaterThan(0);
    expect(shared.change(NO_PASID, hwpt, 'replace')).toBe(-ERRNO.EINVAL);
    expect(shared.attached()?.id).toBe(auto);
  });

  test('is closed when the program is replaced by another', () => {
    const { calls, queue } = faultSetUp();
    const { context } = calls;
    exec(calls.machine, calls.process.pid);
    expect(calls.process.fds.has(queue.fd)).toBe(false);
    expect(context.objects.find(queue.id, 'fault')?.users).toBe(2);
    expect(calls.process.fds.has(calls.fd)).toBe(true);
  });

  test('cookie 0 after a rejected response is a defect of the kernel', () => {
    for (const on of [false, true]) {
      const { calls, device, queue } = faultSetUp(on ? ['rejected-cookie-zero'] : []);
      expect(calls.respond(queue.fd, 0, 0)).toBe(-ERRNO.EINVAL);
      calls.fault(device.id, 1);
      expect(groups(calls.read(queue.fd, 40))).toEqual([[1, 1]]);
      expect(calls.respond(queue.fd, 0, 0)).toBe(-ERRNO.EINVAL);
      calls.fault(device.id, 2);
      expect(groups(calls.read(queue.fd, 40))).toEqual([[2, on ? 0 : 2]]);
      expect(calls.respond(queue.fd, 0, 0)).toBe(on ? 8 : -ERRNO.EINVAL);
      expect(calls.machine.takeNeeded()).toEqual(on ? ['rejected-cookie-zero'] : []);
    }
  });
});

function viommuSetUp(quirks: readonly QuirkName[] = []) {
  const calls = new Calls(quirks);
  const device = calls.device();
  const parent = calls.hwpt(device.id, device.ioas, 1);
  const viommu = calls.call(CALL.viommu, 0, MOCK, device.id, parent, 0, 0, 0, 0, 0).struct.u32(20);
  return { calls, device, parent, viommu };
}

describe('vIOMMU', () => {
  test('lost events are a header that a later event erases', () => {
    const { calls, device, viommu } = viommuSetUp();
    const made = calls.call(CALL.veventq, 0, viommu, MOCK_EVENT, 1, 0, 0, 0).struct;
    const fd = made.u32(24);
    const queue = calls.context.objects.find(made.u32(20), 'veventq');
    const event = (value: number): void => queue?.report(new Uint8Array([value, 0, 0, 0]));
    const sequences = (): unknown => {
      const bytes = calls.read(fd, 100);
      if (typeof bytes === 'number') return bytes;
      const found: string[] = [];
      const view = new StructView(bytes);
      for (let at = 0; at < bytes.length; at += view.u32(at) === 1 ? 8 : 12) {
        found.push(`${view.u32(at) === 1 ? 'lost' : 'event'} ${view.u32(at + 4)}`);
      }
      return found;
    };
    expect(calls.read(fd, 7)).toBe(-ERRNO.EINVAL);
    for (let i = 0; i < 4; i++) event(i);
    expect(calls.read(fd, 11)).toBe(-ERRNO.EINVAL);
    expect(sequences()).toEqual(['event 0', 'lost 3']);
    expect(sequences()).toEqual([]);
    event(4);
    event(5);
    expect(calls.read(fd, 12)).toHaveLength(12);
    event(6);
    expect(sequences()).toEqual(['event 6']);
    expect(calls.mock(OP.event, 0, device.id).ret).toBe(-ERRNO.ENOENT);
  });

  test('a vDEVICE whose device goes leaves a tombstone', () => {
    const { calls, device, viommu } = viommuSetUp();
    const vdevice = calls.call(CALL.vdevice, viommu, device.id, 0, 9, 0);
    expect(vdevice.ret).toBe(0);
    expect(calls.call(CALL.vdevice, viommu, device.id, 0, 10, 0).ret).toBe(-ERRNO.EEXIST);
    const id = vdevice.struct.u32(12);
    expect(calls.destroy(device.object)).toBe(0);
    expect(calls.destroy(id)).toBe(-ERRNO.ENOENT);
    const ids = Array.from({ length: 20 }, () => calls.call(CALL.ioasAlloc, 0, 0).struct.u32(8));
    expect(ids).not.toContain(id);
    expect(calls.destroy(viommu)).toBe(0);
  });

  test('hardware queues: the driver forgets which slot a queue was in', () => {
    for (const on of [false, true]) {
      const { calls, device, viommu } = viommuSetUp(on ? ['mock-queue-slot'] : []);
      const map = [7, device.ioas, 0, 0x1000_0000, 0, 0x1000, 0, 0x200_0000, 0] as const;
      expect(calls.call(0x3b85, ...map).ret).toBe(0);
      const queue = (index: number) => calls.call(0x3b94, 0, viommu, MOCK, index, 0, 0x200_0000, 0, 0x1000, 0);
      expect(queue(2).ret).toBe(-ERRNO.EINVAL);
      expect(queue(1).ret).toBe(-ERRNO.EIO);
      const first = queue(0).struct.u32(20);
      expect(calls.destroy(first)).toBe(0);
      expect(queue(0).ret).toBe(0);
      expect(queue(0).ret).toBe(-ERRNO.EEXIST);
      const second = queue(1).struct.u32(20);
      expect(calls.call(0x3b86, device.ioas, 0x200_0000, 0, 0x1000, 0).ret).toBe(-ERRNO.EBUSY);
      expect(calls.destroy(second)).toBe(0);
      expect(queue(1).ret).toBe(on ? -ERRNO.EEXIST : 0);
      expect(calls.machine.takeNeeded()).toEqual(on ? ['mock-queue-slot'] : []);
    }
  });

  test('a hardware queue over pages whose places nobody knows: made where the recording says so', () => {
    const { calls, device, viommu } = viommuSetUp();
    expect(calls.call(0x3b85, 7, device.ioas, 0, 0x1000_0000, 0, 0x2000, 0, 0x200_0000, 0).ret).toBe(0);
    const ids = [...calls.context.objects.values()].map(({ id }) => id);
    const queue = (): unknown => {
      try {
        return calls.call(0x3b94, 0, viommu, MOCK, 0, 0, 0x200_0000, 0, 0x2000, 0).ret;
      } catch (error) {
        return error;
      }
    };
    const unjudged = queue();
    if (!(unjudged instanceof Unjudged)) throw new Error('it was judged');
    expect([...calls.context.objects.values()].map(({ id }) => id)).toEqual(ids);
    const effect: ((ret: number) => void) | undefined = unjudged.effect;
    effect?.(0);
    expect(calls.context.objects.count).toBe(ids.length + 2);
    expect(calls.call(0x3b86, device.ioas, 0x200_0000, 0, 0x2000, 0).ret).toBe(-ERRNO.EBUSY);
    expect(calls.call(0x3b94, 0, viommu, MOCK, 0, 0, 0x200_0000, 0, 0x1000, 0).ret).toBe(-ERRNO.EEXIST);
  });

  test('memory that user space mapped keeps its vIOMMU', () => {
    const { calls, viommu } = viommuSetUp();
    const object = calls.context.objects.find(viommu, 'viommu');
    const region = calls.context.mmapRegions.add(0x2000);
    expect([region.offset, region.length]).toEqual([0x1000, 0x2000]);
    expect(calls.context.mmapRegions.map(0x1000, 0x1000, 3, true)).toBe(-ERRNO.ENXIO);
    expect(calls.context.mmapRegions.map(0x1000, 0x2000, 3, false)).toBe(-ERRNO.EINVAL);
    expect(calls.context.mmapRegions.map(0x1000, 0x2000, 7, true)).toBe(-ERRNO.EPERM);
    expect(calls.context.mmapRegions.map(0x1000, 0x2000, 1, true)).toBe(region.backing);
    if (object?.driver === undefined) throw new Error('no vIOMMU');
    object.driver = { region, destroy: () => undefined };
    const { memory } = calls.process;
    memory.map({ start: 0x4000_0000, end: 0x4000_2000, prot: 1, shared: true, backing: region.backing, page: 0 });
    expect(calls.destroy(viommu)).toBe(-ERRNO.EBUSY);
    memory.unmap(0x4000_0000, 0x1000);
    expect(calls.destroy(viommu)).toBe(-ERRNO.EBUSY);
    memory.unmap(0x4000_1000, 0x1000);
    expect(calls.destroy(viommu)).toBe(0);
  });
});
