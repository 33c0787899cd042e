import { describe, expect, test } from 'vitest';
import { ioctlName } from '../../../../traces/ioctl-requests.ts';
import { ERRNO } from '../errno.ts';
import { Machine } from '../machine.ts';
import { mockBackend } from '../mock/mock-backend.ts';
import { quirksOf } from '../quirks.ts';
import { ARGUMENT, putStruct, readStruct, simulatedProcess } from '../testing/simulated-process.ts';
import { VfioContainer } from './container.ts';
import { UNKNOWN_HARDWARE } from './hardware.ts';
import { VFIO } from './requests.ts';

const USABLE = [
  { start: 0n, last: 0xfedf_ffffn },
  { start: 0xfef0_0000n, last: 0xffff_ffff_ffffn },
];
const VADDR = 0x20_0000n;

function container(type = 3): {
  readonly call: (request: number, argument?: bigint) => number;
  readonly put: (...words: (number | bigint)[]) => void;
  readonly out: (bytes: number) => ReturnType<typeof readStruct>;
} {
  const machine = new Machine(mockBackend);
  machine.hardware = { ...UNKNOWN_HARDWARE, usable: USABLE, pageSizes: 0x4020_1000n };
  const process = simulatedProcess(machine);
  const file = new VfioContainer();
  file.addGroup();
  const call = (request: number, argument = ARGUMENT): number => file.ioctl({ machine, process, request, argument });
  expect(call(VFIO.setIommu, BigInt(type))).toBe(0);
  return {
    call,
    put: (...words) => putStruct(process, ...words),
    out: (bytes) => readStruct(process, bytes),
  };
}

describe('TYPE1 container', () => {
  test('the nesting kind is there up to 6.12, and then no more', () => {
    const nests = (kernel?: string): readonly unknown[] => {
      const machine = new Machine(mockBackend, quirksOf(kernel));
      const process = simulatedProcess(machine);
      const call = (request: number): number => new VfioContainer().ioctl({ machine, process, request, argument: 6n });
      return [call(VFIO.checkExtension), machine.takeNeeded()];
    };
    expect(nests('6.12.107+deb13-amd64')).toEqual([1, ['nesting-container']]);
    expect(nests('6.13.0')).toEqual([0, []]);
    expect(nests()).toEqual([0, []]);
  });

  test('MAP_DMA refuses in the order of the kernel', () => {
    const { call, put } = container();
    const map = (flags: number, vaddr: bigint, iova: bigint, size: bigint): number => {
      put(32, flags, vaddr, iova, size);
      return call(VFIO.iommuMapDma);
    };
    expect(map(8, VADDR, 0n, 0x1000n)).toBe(-ERRNO.EINVAL);
    expect(map(3, VADDR, 0n, 0n)).toBe(-ERRNO.EINVAL);
    expect(map(3, VADDR, 0xffff_ffff_ffff_f000n, 0x2000n)).toBe(-ERRNO.EOVERFLOW);
    expect(map(0, VADDR, 0n, 0x1000n)).toBe(-ERRNO.EINVAL);
    expect(map(7, VADDR, 0n, 0x1000n)).toBe(-ERRNO.EINVAL);
    expect(map(3, VADDR + 1n, 0n, 0x1000n)).toBe(-ERRNO.EINVAL);
    expect(map(3, VADDR, 0xfee0_0000n, 0x1000n)).toBe(-ERRNO.EINVAL);
    expect(map(3, 0x2000_0000n, 0n, 0x1000n)).toBe(-ERRNO.EFAULT);
    expect(map(3, VADDR, 0n, 0x4000n)).toBe(0);
    expect(map(3, VADDR, 0x3000n, 0x1000n)).toBe(-ERRNO.EEXIST);
    expect(map(4, VADDR, 0x8000n, 0x1000n)).toBe(-ERRNO.ENOENT);
    put(31, 3, VADDR, 0x8000n, 0x1000n);
    expect(call(VFIO.iommuMapDma)).toBe(-ERRNO.EINVAL);
  });

  test('UNMAP_DMA of version 2 cuts nothing, of version 1 takes whole mappings by their first byte', () => {
    for (const [type, split, first] of [
      [3, -ERRNO.EINVAL, 0x4000n],
      [1, 0, 0x4000n],
    ] as const) {
      const { call, put, out } = container(type);
      put(32, 3, VADDR, 0x1_0000n, 0x4000n);
      expect(call(VFIO.iommuMapDma)).toBe(0);
      put(24, 0, 0x1_1000n, 0x1000n);
      expect(call(VFIO.iommuUnmapDma)).toBe(split);
      if (split === 0) expect(out(24).u64(16)).toBe(0n);
      put(24, 0, 0x1_0000n, type === 1 ? 0x1000n : 0x4000n);
      expect(call(VFIO.iommuUnmapDma)).toBe(0);
      expect(out(24).u64(16)).toBe(first);
      put(24, 0, 0x1_0000n, 0x4000n);
      expect(call(VFIO.iommuUnmapDma)).toBe(0);
      expect(out(24).u64(16)).toBe(0n);
      put(24, 2, 0x1000n, 0n);
      expect(call(VFIO.iommuUnmapDma)).toBe(-ERRNO.EINVAL);
    }
  });

  test('UPDATE_VADDR: an address is taken away once and given back once', () => {
    const { call, put } = container();
    const unmap = (flags: number): number => {
      put(24, flags, 0n, 0x4000n);
      return call(VFIO.iommuUnmapDma);
    };
    const map = (size: bigint): number => {
      put(32, 4, VADDR, 0n, size);
      return call(VFIO.iommuMapDma);
    };
    expect(call(VFIO.checkExtension, 10n)).toBe(1);
    put(32, 3, VADDR, 0n, 0x4000n);
    expect(call(VFIO.iommuMapDma)).toBe(0);
    expect(map(0x4000n)).toBe(-ERRNO.EINVAL);
    expect(unmap(4)).toBe(0);
    expect(unmap(4)).toBe(-ERRNO.EINVAL);
    expect(map(0x1000n)).toBe(-ERRNO.EINVAL);
    expect(map(0x4000n)).toBe(0);
    expect(map(0x4000n)).toBe(-ERRNO.EINVAL);
    expect(unmap(0)).toBe(0);
    expect(map(0x4000n)).toBe(-ERRNO.ENOENT);
  });

  test('DIRTY_PAGES reports every mapped page each time', () => {
    const { call, put, out } = container();
    put(32, 3, VADDR, 0x1000n, 0x3000n);
    expect(call(VFIO.iommuMapDma)).toBe(0);
    const get = (): number => {
      put(48, 4, 0n, 0x8000n, 0x1000n, 8n, ARGUMENT + 0x100n);
      return call(VFIO.iommuDirtyPages);
    };
    expect(get()).toBe(-ERRNO.EINVAL);
    put(8, 3);
    expect(call(VFIO.iommuDirtyPages)).toBe(-ERRNO.EINVAL);
    put(8, 1);
    expect(call(VFIO.iommuDirtyPages)).toBe(0);
    put(...Array.from({ length: 0x110 / 8 }, () => 0n));
    for (let time = 0; time < 2; time++) {
      expect(get()).toBe(0);
      expect(out(0x101).bytes[0x100]).toBe(0b1110);
    }
    put(48, 4, 0n, 0x2000n, 0x1000n, 8n, ARGUMENT + 0x100n);
    expect(call(VFIO.iommuDirtyPages)).toBe(-ERRNO.EINVAL);
    const v1 = container(1);
    v1.put(8, 1);
    expect(v1.call(VFIO.iommuDirtyPages)).toBe(-ERRNO.EACCES);
  });

  test('GET_INFO lists migration, mappings left and address ranges', () => {
    const { call, put, out } = container();
    put(24, 0, 0n, 0, 0);
    expect(call(VFIO.iommuGetInfo)).toBe(0);
    expect([out(24).u32(0), out(24).u32(4), out(24).u64(8), out(24).u32(16)]).toEqual([0x78, 3, 0x4020_1000n, 0]);
    put(0x78, ...Array.from({ length: 15 }, () => 0n));
    expect(call(VFIO.iommuGetInfo)).toBe(0);
    const info = out(0x78);
    expect([info.u32(0), info.u32(16)]).toEqual([0x78, 24]);
    expect([info.u16(24), info.u32(28), info.u16(56), info.u32(60), info.u16(72), info.u32(76)]).toEqual([
      2, 56, 3, 72, 1, 0,
    ]);
    expect([info.u32(64), info.u64(0x58), info.u64(0x60), info.u64(0x68), info.u64(0x70)]).toEqual([
      0xffff,
      0n,
      0xfedf_ffffn,
      0xfef0_0000n,
      0xffff_ffff_ffffn,
    ]);
  });

  test('calls of sPAPR have names and no effect', () => {
    const { call } = container();
    for (const request of [0x3b73, 0x3b74, 0x3b76, 0x3b77, 0x3b78, 0x3b79]) {
      expect(ioctlName(request, '/dev/vfio/vfio')).toContain('unsupported');
      expect(call(request)).toBe(-ERRNO.ENOTTY);
    }
    expect(ioctlName(0x3b76, '/dev/vfio/devices/vfio0')).toBe('VFIO_DEVICE_BIND_IOMMUFD');
  });
});
