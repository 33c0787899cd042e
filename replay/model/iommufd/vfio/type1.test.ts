import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backing } from '../backing.ts';
import { ERRNO } from '../errno.ts';
import { Machine } from '../machine.ts';
import { mockBackend } from '../mock/mock-backend.ts';
import type { Process } from '../process.ts';
import { ARGUMENT, putStruct, readStruct, simulatedProcess } from '../testing/simulated-process.ts';
import { VfioContainer } from './container.ts';
import { UNKNOWN_HARDWARE } from './hardware.ts';
import { VFIO } from './requests.ts';

const VADDR = 0x20_0000n;
const PAGE = 0x1000n;
const BITMAP = 0x30_0000n;
const FLAG = { dirty: 1, all: 2, vaddr: 4 } as const;

function setUp() {
  const machine = new Machine(mockBackend);
  machine.hardware = { ...UNKNOWN_HARDWARE, usable: [{ start: 0n, last: 0xffff_ffffn }], pageSizes: PAGE };
  const process = simulatedProcess(machine);
  const container = new VfioContainer();
  expect(container.addGroup()).toBe(0);
  const told: string[] = [];
  const say =
    (what: string) =>
    (_container: object, iova: bigint, size: bigint): void => {
      told.push(`${what} ${iova} ${size}`);
    };
  machine.vaddrs = { invalidated: say('gone'), restored: say('back'), unmapped: say('unmapped') };
  const call = (request: number, argument = ARGUMENT, by: Process = process): number =>
    container.ioctl({ machine, process: by, request, argument });
  expect(call(VFIO.setIommu, 3n)).toBe(0);
  const map = (iova: bigint, pages: number, flags = 3, by: Process = process, vaddr = VADDR): number => {
    putStruct(by, 32, flags, vaddr, iova, BigInt(pages) * PAGE);
    return call(VFIO.iommuMapDma, ARGUMENT, by);
  };
  const unmap = (iova: bigint, pages: number, flags = 0): number | bigint => {
    putStruct(process, 24, flags, iova, BigInt(pages) * PAGE);
    const ret = call(VFIO.iommuUnmapDma);
    return ret < 0 ? ret : readStruct(process, 24).u64(16);
  };
  return { machine, process, container, told, call, map, unmap };
}

describe('VFIO_UPDATE_VADDR', () => {
  test('a range loses its address, and gets it back mapping by mapping; no group comes meanwhile', () => {
    const { container, told, map, unmap } = setUp();
    expect([map(0n, 2), map(0x8000n, 1), map(0x8000n, 1, FLAG.vaddr)]).toEqual([0, 0, -ERRNO.EINVAL]);
    expect(unmap(0n, 16, FLAG.vaddr)).toBe(0x3000n);
    expect(container.addGroup()).toBe(-ERRNO.EBUSY);
    // Already invalid, so nothing of the range changes; new mappings come as always.
    expect([unmap(0n, 16, FLAG.vaddr), map(0x1_0000n, 1)]).toEqual([-ERRNO.EINVAL, 0]);
    expect([map(0x1000n, 1, FLAG.vaddr), map(0n, 1, FLAG.vaddr)]).toEqual([-ERRNO.EINVAL, -ERRNO.EINVAL]);
    expect(map(0x4000n, 1, FLAG.vaddr)).toBe(-ERRNO.ENOENT);
    expect([map(0n, 2, FLAG.vaddr), container.addGroup()]).toEqual([0, -ERRNO.EBUSY]);
    expect([unmap(0x8000n, 1), container.addGroup()]).toEqual([0x1000n, 0]);
    expect(told).toEqual(['gone 0 8192', 'gone 32768 4096', 'back 0 8192', 'unmapped 32768 4096']);
  });

  test('another process pays from then on, if its limit allows', () => {
    const { machine, process, map, unmap } = setUp();
    const other = simulatedProcess(machine, 2);
    expect([map(0n, 2), process.memory.lockedPages]).toEqual([0, 2]);
    expect(unmap(0n, 0, FLAG.all | FLAG.vaddr)).toBe(0x2000n);
    other.ipcLock = false;
    other.memlock = 4096;
    expect(map(0n, 2, FLAG.vaddr, other)).toBe(-ERRNO.ENOMEM);
    other.memlock = 8192;
    expect(map(0n, 2, FLAG.vaddr, other)).toBe(0);
    expect([process.memory.lockedPages, other.memory.lockedPages]).toEqual([0, 2]);
    expect([unmap(0n, 2), other.memory.lockedPages]).toEqual([0x2000n, 0]);
  });

  test('a window opened and closed changes nothing, whatever the order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(15), { minLength: 1 }), fc.array(fc.nat(15)), (slots, order) => {
        const { container, map, unmap } = setUp();
        for (const slot of slots) expect(map(BigInt(slot) * 0x1_0000n, 1)).toBe(0);
        expect(unmap(0n, 0, FLAG.all | FLAG.vaddr)).toBe(BigInt(slots.length) * PAGE);
        const rest = new Set(slots);
        for (const slot of [...order, ...slots]) {
          const ret = map(BigInt(slot) * 0x1_0000n, 1, FLAG.vaddr);
          expect(ret).toBe(rest.delete(slot) ? 0 : slots.includes(slot) ? -ERRNO.EINVAL : -ERRNO.ENOENT);
          expect(container.addGroup()).toBe(rest.size > 0 ? -ERRNO.EBUSY : 0);
        }
        expect(unmap(0n, 0, FLAG.all)).toBe(BigInt(slots.length) * PAGE);
      }),
      { numRuns: 30 },
    );
  });
});

describe('UNMAP_DMA with a dirty bitmap', () => {
  test('gives the bits of what goes, and is refused as the kernel does', () => {
    const { process, call, map } = setUp();
    const unmap = (iova: bigint, pages: number, bitmap: readonly [bigint, bigint, bigint], flags = 1, argsz = 48) => {
      putStruct(process, argsz, flags, iova, BigInt(pages) * PAGE, ...bitmap);
      return call(VFIO.iommuUnmapDma);
    };
    const good = [PAGE, 8n, BITMAP] as const;
    process.memory.remember(Number(BITMAP), new Uint8Array(8));
    expect([map(0x1000n, 2), map(0x4000n, 1)]).toEqual([0, 0]);
    expect(unmap(0n, 8, good)).toBe(-ERRNO.EINVAL);
    putStruct(process, 8, 1);
    expect(call(VFIO.iommuDirtyPages)).toBe(0);
    expect(unmap(0n, 8, good, 3)).toBe(-ERRNO.EINVAL);
    expect(unmap(0n, 8, good, 5)).toBe(-ERRNO.EINVAL);
    expect(unmap(0n, 8, good, 1, 47)).toBe(-ERRNO.EINVAL);
    expect(unmap(0n, 8, [0x2000n, 8n, BITMAP])).toBe(-ERRNO.EINVAL);
    expect(unmap(0n, 65, good)).toBe(-ERRNO.EINVAL);
    expect(unmap(0n, 2, good)).toBe(-ERRNO.EINVAL);
    expect(unmap(0n, 8, good)).toBe(0);
    expect(readStruct(process, 24).u64(16)).toBe(0x3000n);
    expect(process.memory.recall(Number(BITMAP), 8)?.[0]).toBe(0b0001_0110);
    expect(map(0x1000n, 2)).toBe(0);
    expect(unmap(0n, 8, [PAGE, 8n, 0x2000_0000n])).toBe(-ERRNO.EFAULT);
    expect(map(0x1000n, 2)).toBe(-ERRNO.EEXIST);
  });
});

describe('memory behind a mapping', () => {
  test('a device’s own is mapped and counts for nothing; locked memory stays within the limit', () => {
    const { process, map, unmap } = setUp();
    const backing = new Backing();
    backing.deviceMemory = true;
    const bar = 0x2000_0000;
    process.memory.map({ start: bar, end: bar + 0x4000, prot: 3, shared: true, backing, page: 0 });
    process.ipcLock = false;
    process.memlock = 2 * 4096;
    expect([map(0n, 4, 3, process, BigInt(bar)), process.memory.lockedPages]).toEqual([0, 0]);
    expect([map(0x1_0000n, 3), map(0x1_0000n, 2), map(0x2_0000n, 1)]).toEqual([-ERRNO.ENOMEM, 0, -ERRNO.ENOMEM]);
    // The limit comes before the first page that can't be pinned, or after it.
    const end = 0x1000_0000n;
    expect(unmap(0x1_0000n, 2)).toBe(0x2000n);
    expect(map(0x1_0000n, 4, 3, process, end - 3n * PAGE)).toBe(-ERRNO.ENOMEM);
    expect(map(0x1_0000n, 4, 3, process, end - 2n * PAGE)).toBe(-ERRNO.EFAULT);
    expect(process.memory.lockedPages).toBe(0);
  });
});
