import { describe, expect, test } from 'vitest';
import { Context } from '../context.ts';
import { ERRNO } from '../errno.ts';
import { openIommufd } from '../iommufd-file.ts';
import { Ioas } from '../ioas.ts';
import { Machine } from '../machine.ts';
import { ARGUMENT, putStruct, readStruct, simulatedProcess } from '../testing/simulated-process.ts';
import { newFile } from '../system-calls.ts';
import { VfioContainer } from './container.ts';
import { VfioDevice } from './device.ts';
import { VfioGroup } from './group.ts';
import { UNKNOWN_HARDWARE, recordedBackend } from './hardware.ts';
import { VFIO } from './requests.ts';
import type { VfioFile } from './vfio-file.ts';

const HARDWARE = {
  ...UNKNOWN_HARDWARE,
  usable: [{ start: 0n, last: 0xfedf_ffffn }],
  pageSizes: 0x1000n,
  pasidBits: 20,
};

function setUp() {
  const machine = new Machine(recordedBackend(HARDWARE));
  machine.hardware = HARDWARE;
  const process = simulatedProcess(machine);
  const iommufd = openIommufd(machine);
  process.installAt(3, iommufd);
  const call = (file: VfioFile, request: number, ...words: (number | bigint)[]): number => {
    putStruct(process, ...words);
    return file.ioctl({ machine, process, request, argument: ARGUMENT });
  };
  return { machine, process, context: iommufd.context, call };
}

const bind = [24, 0, 3, 0, 0n] as const;

describe('VFIO device', () => {
  test('is bound once, to an open iommufd', () => {
    const { process, context, call } = setUp();
    const device = new VfioDevice();
    process.installAt(4, device);
    process.installAt(5, newFile('other'));
    expect(call(device, VFIO.attachIommufdPt, 16, 0, 1, 0)).toBe(-ERRNO.EINVAL);
    expect(call(device, VFIO.bindIommufd, 12, 0, 3)).toBe(-ERRNO.EINVAL);
    expect(call(device, VFIO.bindIommufd, 24, 2, 3, 0, 0n)).toBe(-ERRNO.EINVAL);
    expect(call(device, VFIO.bindIommufd, 28, 0, 3, 0, 0n, 1)).toBe(-ERRNO.E2BIG);
    expect(call(device, VFIO.bindIommufd, 24, 0, 0xffff_ffff, 0, 0n)).toBe(-ERRNO.EINVAL);
    expect(call(device, VFIO.bindIommufd, 24, 0, 9, 0, 0n)).toBe(-ERRNO.EBADF);
    expect(call(device, VFIO.bindIommufd, 24, 0, 5, 0, 0n)).toBe(-ERRNO.EBADFD);
    expect(call(device, VFIO.bindIommufd, ...bind)).toBe(0);
    expect(readStruct(process, 24).u32(12)).toBe(1);
    expect(context.objects.find(1, 'device')?.users).toBe(2);
    expect(call(device, VFIO.bindIommufd, ...bind)).toBe(-ERRNO.EINVAL);
  });

  test('a second attach replaces, detaching is always 0, closing undoes all', () => {
    const { process, context, call } = setUp();
    const device = new VfioDevice();
    process.installAt(4, device);
    expect(call(device, VFIO.bindIommufd, ...bind)).toBe(0);
    const first = context.objects.add(new Ioas(context));
    const second = context.objects.add(new Ioas(context));
    expect(call(device, VFIO.attachIommufdPt, 12, 0, first.id)).toBe(0);
    const hwpt = readStruct(process, 12).u32(8);
    expect(context.objects.find(hwpt, 'hwptPaging')?.ioas).toBe(first);
    expect(first.reserved.holes()).toEqual(HARDWARE.usable);
    expect(call(device, VFIO.attachIommufdPt, 12, 0, second.id)).toBe(0);
    expect(context.objects.find(hwpt, 'hwptPaging')?.ioas).not.toBe(first);
    expect(call(device, VFIO.attachIommufdPt, 12, 1, second.id)).toBe(-ERRNO.EINVAL);
    expect(call(device, VFIO.attachIommufdPt, 16, 1, second.id, 5)).toBe(-ERRNO.EINVAL);
    expect(call(device, VFIO.detachIommufdPt, 8, 0)).toBe(0);
    expect(call(device, VFIO.detachIommufdPt, 8, 0)).toBe(0);
    expect(call(device, VFIO.detachIommufdPt, 8, 1)).toBe(-ERRNO.EINVAL);
    expect(call(device, VFIO.attachIommufdPt, 12, 0, first.id)).toBe(0);
    process.close(4);
    expect([...context.objects.values()].map(({ type }) => type)).toEqual(['ioas', 'ioas']);
    expect(context.refs).toBe(1);
  });

  test('through a group it is attached to the IOAS of an iommufd that is the container', () => {
    const { process, context, call } = setUp();
    const group = new VfioGroup();
    expect(call(group, VFIO.groupGetDeviceFd, 0n)).toBe(-ERRNO.EINVAL);
    expect(call(group, VFIO.groupSetContainer, 9)).toBe(-ERRNO.EBADF);
    expect(call(group, VFIO.groupSetContainer, 3)).toBe(0);
    expect(call(group, VFIO.groupSetContainer, 3)).toBe(-ERRNO.EINVAL);
    expect(call(group, VFIO.groupGetStatus, 8, 0)).toBe(0);
    expect(readStruct(process, 8).u32(4)).toBe(3);
    const fd = call(group, VFIO.groupGetDeviceFd, 0n);
    expect(process.fds.get(fd)).toBeInstanceOf(VfioDevice);
    expect([...context.objects.values()].map(({ type }) => type)).toEqual(['ioas', 'device', 'hwptPaging']);
    expect(call(process.fds.get(fd) as VfioDevice, VFIO.bindIommufd, ...bind)).toBe(-ERRNO.EINVAL);
    expect(call(group, VFIO.groupUnsetContainer)).toBe(-ERRNO.EBUSY);
    process.close(fd);
    expect(call(group, VFIO.groupUnsetContainer)).toBe(0);
    expect(call(group, VFIO.groupUnsetContainer)).toBe(-ERRNO.EINVAL);
  });

  test('a container without groups has no IOMMU', () => {
    const { machine, process, call } = setUp();
    const container = new VfioContainer();
    process.installAt(6, container);
    const setIommu = (): number => container.ioctl({ machine, process, request: VFIO.setIommu, argument: 3n });
    expect(setIommu()).toBe(-ERRNO.EINVAL);
    const group = new VfioGroup();
    expect(call(group, VFIO.groupSetContainer, 6)).toBe(0);
    expect(setIommu()).toBe(0);
    expect(setIommu()).toBe(-ERRNO.EINVAL);
    expect(call(group, VFIO.groupUnsetContainer)).toBe(0);
    expect(call(container, VFIO.iommuMapDma, 32, 3, 0x20_0000n, 0n, 0x1000n)).toBe(-ERRNO.EINVAL);
    expect(new Context(machine).objects.empty).toBe(true);
  });
});
