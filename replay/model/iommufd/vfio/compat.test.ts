import { describe, expect, test } from 'vitest';
import { ERRNO } from '../errno.ts';
import { Ioas } from '../ioas.ts';
import { openIommufd } from '../iommufd-file.ts';
import { iommufdIoctls } from '../families.ts';
import { runIoctl } from '../ioctl.ts';
import { Machine } from '../machine.ts';
import { mockBackend } from '../mock/mock-backend.ts';
import { ARGUMENT, putStruct, readStruct, simulatedProcess } from '../testing/simulated-process.ts';
import { vfioCompat } from './compat.ts';
import { VFIO } from './requests.ts';

const VADDR = 0x20_0000n;

function setUp(compat = true) {
  const machine = new Machine(mockBackend);
  machine.noIommuBuilt = true;
  const process = simulatedProcess(machine);
  const { context } = openIommufd(machine);
  const ioas = context.objects.add(new Ioas(context));
  if (compat) context.compatIoas = ioas;
  const call = (request: number, argument = ARGUMENT): number =>
    runIoctl(iommufdIoctls, vfioCompat, context, process, request, argument);
  const map = (iova: bigint, size: bigint, flags = 3): number => {
    putStruct(process, 32, flags, VADDR, iova, size);
    return call(VFIO.iommuMapDma);
  };
  const unmap = (iova: bigint, size: bigint, flags = 0): number | bigint => {
    putStruct(process, 24, flags, iova, size);
    const ret = call(VFIO.iommuUnmapDma);
    return ret === 0 ? readStruct(process, 24).u64(16) : ret;
  };
  return { process, ioas, call, map, unmap };
}

describe('iommufd as a VFIO container', () => {
  test('has no calls but some without a compat IOAS', () => {
    const { call, map, unmap } = setUp(false);
    expect([call(VFIO.getApiVersion), call(VFIO.checkExtension, 1n), call(VFIO.checkExtension, 10n)]).toEqual([
      0, 1, 0,
    ]);
    expect([call(VFIO.checkExtension, 4n), call(VFIO.checkExtension, 8n)]).toEqual([-ERRNO.ENODEV, 1]);
    expect([call(VFIO.setIommu, 3n), call(VFIO.setIommu, 2n)]).toEqual([-ERRNO.ENODEV, -ERRNO.EINVAL]);
    expect([map(0n, 0x1000n), unmap(0n, 0x1000n)]).toEqual([-ERRNO.ENODEV, -ERRNO.ENODEV]);
    expect([call(VFIO.iommuDirtyPages), call(0x3b73), call(0x3bff), call(0x5401)]).toEqual(
      [0, 1, 2, 3].map(() => -ERRNO.ENOTTY),
    );
  });

  test('UNMAP_DMA of nothing is 0 bytes; a cut is refused as TYPE1v2 and made as TYPE1', () => {
    const { call, map, unmap } = setUp();
    expect(map(0x1_0000n, 0x4000n)).toBe(0);
    expect(map(0x1_0000n, 0x4000n)).toBe(-ERRNO.EEXIST);
    expect(unmap(0x8_0000n, 0x1000n)).toBe(0n);
    expect(unmap(0x1_1000n, 0x1000n)).toBe(-ERRNO.ENOENT);
    expect(unmap(0n, 0x1000n, 2)).toBe(-ERRNO.EINVAL);
    expect(unmap(0x1_0000n, 0x4000n, 1)).toBe(-ERRNO.EINVAL);
    expect(unmap(0n, 0n, 2)).toBe(0x4000n);
    expect(call(VFIO.setIommu, 1n)).toBe(0);
    expect(map(0x1_0000n, 0x4000n)).toBe(0);
    expect(unmap(0x1_0800n, 0x1000n)).toBe(-ERRNO.EINVAL);
    expect(unmap(0x1_0001n, 0x3fffn)).toBe(-ERRNO.ENOENT);
    expect(unmap(0x1_1000n, 0x1000n)).toBe(0x1000n);
    expect(unmap(0x1_0000n, 0x4000n)).toBe(0x3000n);
  });

  test('GET_INFO tells how long it is and writes what fits', () => {
    const { process, ioas, call } = setUp();
    ioas.reserved.add(0xfee0_0000n, 0xfeef_ffffn, undefined);
    const ask = (room: number): { ret: number; info: ReturnType<typeof readStruct> } => {
      putStruct(process, room, ...Array.from({ length: 31 }, () => 0));
      return { ret: call(VFIO.iommuGetInfo), info: readStruct(process, 128) };
    };
    expect(ask(15).ret).toBe(-ERRNO.EINVAL);
    const short = ask(24);
    expect([short.ret, short.info.u32(0), short.info.u32(4), short.info.u32(16)]).toEqual([0, 88, 3, 0]);
    expect(short.info.u64(8)).toBe(0xffff_ffff_ffff_f000n);
    const partial = ask(80).info;
    expect([partial.u32(16), partial.u16(24), partial.u32(28), partial.u32(32)]).toEqual([0, 3, 40, 0xffff_ffff]);
    // The first range fits, the second and the head of the capability do not.
    expect([partial.u32(40), partial.u64(64), partial.u64(72)]).toEqual([0, 0xfedf_ffffn, 0n]);
    const whole = ask(88).info;
    expect([whole.u32(16), whole.u32(40), whole.u32(44), whole.u32(48)]).toEqual([24, 0x1_0001, 0, 2]);
    expect([whole.u64(72), whole.u64(80)]).toEqual([0xfef0_0000n, 0xffff_ffff_ffff_ffffn]);
  });

  test('a mapping that may neither be read nor written keeps domains out', () => {
    const { process, ioas, map, call } = setUp();
    expect(map(0x200_0000n, 0x1000n, 4)).toBe(-ERRNO.EINVAL);
    expect(map(0x200_0000n, 0x1000n, 0)).toBe(0);
    putStruct(process, 72, 2, ioas.id, 0, 0n, 0n, 0n, 0n, 0n, 0n, 0n);
    expect(call(0x3ba0)).toBe(-ERRNO.EINVAL);
  });
});
