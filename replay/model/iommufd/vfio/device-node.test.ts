import { describe, expect, test } from 'vitest';
import { ERRNO } from '../errno.ts';
import type { DmabufFile } from '../file-pages.ts';
import { filePages } from '../file-pages.ts';
import { Ioas } from '../ioas.ts';
import { openIommufd } from '../iommufd-file.ts';
import { Machine } from '../machine.ts';
import { ARGUMENT, putStruct, simulatedProcess } from '../testing/simulated-process.ts';
import { applySystemCall, newFile } from '../system-calls.ts';
import { Unjudged } from '../unjudged.ts';
import { VfioContainer } from './container.ts';
import { UNKNOWN_HARDWARE, answerKey, recordedBackend, recordedTraits } from './hardware.ts';
import type { RecordedHardware } from './hardware.ts';
import { openVfio } from './open-vfio.ts';
import { VFIO } from './requests.ts';
import { isVfioFile } from './vfio-file.ts';
import type { VfioFile } from './vfio-file.ts';

const NODE = '/dev/vfio/devices/vfio0';

function setUp(more: Partial<RecordedHardware> = {}) {
  const hardware = { ...UNKNOWN_HARDWARE, pageSizes: 0x1000n, usable: [{ start: 0n, last: 0xffff_ffffn }], ...more };
  const machine = new Machine(recordedBackend(hardware));
  machine.hardware = hardware;
  const process = simulatedProcess(machine);
  const iommufd = openIommufd(machine);
  process.installAt(3, iommufd);
  const open = (fd: number, path: string): VfioFile => {
    const file = openVfio(machine, path);
    if (!isVfioFile(file)) throw new Error('not a VFIO file');
    process.installAt(fd, file);
    return file;
  };
  const call = (file: VfioFile, request: number, ...words: (number | bigint)[]): number => {
    putStruct(process, ...words);
    return file.ioctl({ machine, process, request, argument: ARGUMENT });
  };
  const bind = (file: VfioFile, fd = 3): number => call(file, VFIO.bindIommufd, 24, 0, fd, 0, 0n);
  return { machine, process, context: iommufd.context, open, call, bind };
}

describe('several files of one device', () => {
  test('BIND: a device that is open by another file is EINVAL, after the iommufd was looked at', () => {
    const { process, context, open, bind } = setUp();
    const first = open(4, NODE);
    const second = open(5, NODE);
    process.installAt(6, newFile('other'));
    expect([bind(first), bind(first), bind(second), bind(second, 9), bind(second, 6)]).toEqual([
      0,
      -ERRNO.EINVAL,
      -ERRNO.EINVAL,
      -ERRNO.EBADF,
      -ERRNO.EBADFD,
    ]);
    expect(bind(open(7, '/dev/vfio/devices/vfio1'))).toBe(0);
    process.close(4);
    expect(bind(second)).toBe(0);
    expect([...context.objects.values()].map(({ id }) => id)).toEqual([1, 2]);
  });

  test('BIND while a group is open: whose device it is, only a success tells', () => {
    const { machine, process, context, open, bind, call } = setUp();
    open(4, '/dev/vfio/7');
    const device = open(5, NODE);
    const unjudged = (): Unjudged => {
      try {
        bind(device);
      } catch (error) {
        if (error instanceof Unjudged) return error;
      }
      throw new Error('it was judged');
    };
    expect(unjudged().reason).toContain('group');
    unjudged().effect?.();
    expect(context.objects.find(1, 'device')?.users).toBe(2);
    process.close(5);
    // It is not in that group: from now on BIND can be told.
    expect(bind(open(5, NODE))).toBe(0);
    process.close(4);
    expect(machine.openGroups.size).toBe(0);
    process.close(5);
    expect(() => call(open(5, NODE), VFIO.bindIommufd, 24, 1, 3, 0, 0n)).toThrow('token');
    expect(() => call(device, VFIO.bindIommufd, 24, 1, 3, 0, 0n)).toThrow('token');
  });

  test('BIND that was refused while one group was open tells whose device it is', () => {
    const { process, open, bind } = setUp();
    open(4, '/dev/vfio/7');
    const device = open(5, NODE);
    expect(() => bind(device)).toThrow(expect.objectContaining({ refused: expect.any(Function) }));
    try {
      bind(device);
    } catch (error) {
      if (error instanceof Unjudged) error.refused?.(ERRNO.EBUSY);
    }
    expect(bind(device)).toBe(-ERRNO.EBUSY);
    process.close(4);
    // Another group is no reason any more.
    open(4, '/dev/vfio/8');
    expect(bind(device)).toBe(0);
  });

  test('a device of which firmware wants 1:1 mappings is given to nobody', () => {
    const { machine, open, bind, call } = setUp();
    machine.deviceTraits = { ...recordedTraits(machine.hardware), oneToOne: true };
    expect(bind(open(4, NODE))).toBe(-ERRNO.EINVAL);
    open(5, '/dev/vfio/vfio');
    expect(call(open(6, '/dev/vfio/7'), VFIO.groupSetContainer, 5)).toBe(-ERRNO.EINVAL);
    machine.deviceTraits = undefined;
    expect(call(open(7, '/dev/vfio/8'), VFIO.groupSetContainer, 5)).toBe(0);
  });

  test('a group gives its device again: the same object on the iommufd', () => {
    const { process, context, open, call } = setUp();
    context.compatIoas = context.objects.add(new Ioas(context));
    const group = open(4, '/dev/vfio/7');
    expect(call(group, VFIO.groupSetContainer, 3)).toBe(0);
    const name = (text: string): number => {
      const bytes = new Uint8Array(32);
      bytes.set(new TextEncoder().encode(text));
      process.memory.remember(Number(ARGUMENT), bytes);
      return group.ioctl({ machine: context.machine, process, request: VFIO.groupGetDeviceFd, argument: ARGUMENT });
    };
    const devices = (): number => [...context.objects.values()].filter(({ type }) => type === 'device').length;
    const first = name('0000:01:00.0');
    const second = name('0000:01:00.0 vf_token');
    expect(devices()).toBe(1);
    process.close(first);
    expect(devices()).toBe(1);
    process.close(second);
    expect(devices()).toBe(0);
    name('0000:01:00.0');
    name('0000:01:00.1');
    expect(devices()).toBe(2);
  });

  test('/dev/vfio/vfio is what the machine says', () => {
    const { machine } = setUp();
    expect(openVfio(machine, '/dev/vfio/vfio')).toBeInstanceOf(VfioContainer);
    machine.containerIsIommufd = true;
    expect(openVfio(machine, '/dev/vfio/vfio')).toMatchObject({
      kind: 'iommufd',
      context: { accountPerProcess: true },
    });
  });
});

describe('DEVICE_FEATURE', () => {
  const PROBE = 0x4_0000;
  const GET = 0x1_0000;
  const SET = 0x2_0000;
  const REGION = new Uint8Array(new Uint32Array([32, 3, 0, 0, 0x4000, 0, 0, 0]).buffer);
  const answers = new Map([[answerKey(VFIO.deviceGetRegionInfo, REGION), { ret: 0, after: REGION }]]);

  function bound(more: Partial<RecordedHardware>) {
    const set = setUp(more);
    const device = set.open(4, NODE);
    expect(set.bind(device)).toBe(0);
    const feature = (argsz: number, flags: number, ...words: (number | bigint)[]): number =>
      set.call(device, VFIO.deviceFeature, argsz, flags, ...words);
    const get = (region: number, count: number, ...ranges: bigint[]): number =>
      feature(24 + ranges.length * 8, GET | 11, region, 0, 0, count, ...ranges);
    return { ...set, device, feature, get };
  }

  test('flags are checked first; the rest of most features only the device knows', () => {
    const { feature } = bound({});
    expect([feature(7, PROBE | 11), feature(8, 0x8_0000), feature(8, GET | SET | 1)]).toEqual([
      -ERRNO.EINVAL,
      -ERRNO.EINVAL,
      -ERRNO.EINVAL,
    ]);
    expect(() => feature(8, PROBE | 1)).toThrow(Unjudged);
    expect(() => feature(8, PROBE | 11)).toThrow('not known');
  });

  test('DMA_BUF: where it is not built in, and its errors', () => {
    expect(bound({ dmaBufs: -ERRNO.ENOTTY }).get(0, 1, 0n, 0x1000n)).toBe(-ERRNO.ENOTTY);
    const { feature, get } = bound({ dmaBufs: 0, answers });
    expect([feature(8, PROBE | GET | 11), feature(24, SET | 11), feature(24, 11)]).toEqual([
      0,
      -ERRNO.EINVAL,
      -ERRNO.EINVAL,
    ]);
    expect(feature(23, GET | 11, 0, 0, 0, 1)).toBe(-ERRNO.EINVAL);
    expect(get(0, 0)).toBe(-ERRNO.EINVAL);
    expect(get(6, 1, 0n, 0x1000n)).toBe(-ERRNO.ENODEV);
    for (const range of [
      [0n, 0n],
      [1n, 0x1000n],
      [0n, 0x800n],
      [0x3000n, 0x2000n],
    ] as const)
      expect(get(0, 1, ...range)).toBe(-ERRNO.EINVAL);
    expect(get(0, 1, 0xffff_ffff_ffff_f000n, 0x1000n)).toBe(-ERRNO.EOVERFLOW);
  });

  test('DMA_BUF: an iommufd maps those of one range; a reset, a write to the command register and closing revoke', () => {
    const { machine, process, device, get, call } = bound({ dmaBufs: 0, answers });
    const one = get(0, 1, 0n, 0x2000n);
    const two = get(0, 2, 0n, 0x1000n, 0x2000n, 0x1000n);
    const map = (fd: number) => filePages(process, fd, 0n, 0x1000n, true);
    expect(map(two)).toBe(-ERRNO.EOPNOTSUPP);
    const pages = map(one);
    if (typeof pages === 'number') throw new Error('not mapped');
    expect(() => call(device, VFIO.deviceReset)).toThrow(Unjudged);
    expect(pages.gone).toBe(false);
    const command = (value: number) =>
      applySystemCall(machine, {
        name: 'pwrite64',
        pid: 1,
        fd: 4,
        args: [4, 0, 2, 7 * 2 ** 40 + 4],
        ret: 2,
        path: undefined,
        data: Uint8Array.of(value, 0),
      });
    command(6);
    expect(pages.gone).toBe(false);
    command(4);
    expect([pages.gone, map(one)]).toEqual([true, -ERRNO.ENODEV]);
    command(6);
    expect(typeof map(one)).toBe('object');
    process.close(4);
    expect(map(one)).toBe(-ERRNO.ENODEV);
    expect((process.fds.get(one) as DmabufFile).state.revocations).toBe(3);
  });
});
