import { describe, expect, test } from 'vitest';
import { Device } from './device.ts';
import { ERRNO } from './errno.ts';
import { mockBackend, mockDevice } from './mock/mock-backend.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';
import { fork } from './system-calls.ts';
import { UNKNOWN_HARDWARE, recordedBackend } from './vfio/hardware.ts';

const FIXED = 1;
const WRITE = 2;
const READ = 4;
const RW = FIXED | WRITE | READ;
const PAGE = 0x1000;
const START = 0x100_0000;
const LAST_PAGE = 0xffff_ffff_ffff_f000n;

const low = (value: number | bigint): number => Number(BigInt(value) & 0xffff_ffffn);
const high = (value: number | bigint): number => Number(BigInt(value) >> 32n);
const wide = (...values: readonly (number | bigint)[]): number[] =>
  values.flatMap((value) => [low(value), high(value)]);

type Address = number | bigint;

/** The calls by name, with whole addresses; each gives what ioctl(2) returned, or what it made. */
class Calls {
  readonly io = new SimulatedCalls(mockBackend);

  ioas(): number {
    return this.io.call(0x3b81, 0, 0).struct.u32(8);
  }

  destroy(id: number): number {
    return this.io.call(0x3b80, id).ret;
  }

  map(ioas: number, address: Address, length: Address, iova: Address = START, flags = RW): number {
    return this.io.call(0x3b85, flags, ioas, 0, ...wide(address, length, iova)).ret;
  }

  /** The address that was found, or a negative errno. */
  mapAnywhere(ioas: number, address: Address, length: Address): bigint | number {
    const { ret, struct } = this.io.call(0x3b85, WRITE | READ, ioas, 0, ...wide(address, length, 0));
    return ret === 0 ? struct.u64(32) : ret;
  }

  mapFile(ioas: number, fd: number, length: Address, iova: Address = START, flags = RW): number {
    return this.io.call(0x3b8f, flags, ioas, fd, ...wide(0, length, iova)).ret;
  }

  copy(to: number, from: number, length: Address, source: Address, iova: Address, flags = RW): number {
    return this.io.call(0x3b83, flags, to, from, ...wide(length, iova, source)).ret;
  }

  unmap(ioas: number, iova: Address, length: Address): bigint | number {
    const { ret, struct } = this.io.call(0x3b86, ioas, ...wide(iova, length));
    return ret === 0 ? struct.u64(16) : ret;
  }

  largePages(ioas: number, on: boolean): number {
    return this.io.call(0x3b87, 1, 0, ioas, on ? 1 : 0, 0).ret;
  }

  /** A mock device on an IOAS or an HWPT. */
  attach(id: number): { readonly ret: number; readonly device: number; readonly hwpt: number } {
    const { ret, struct } = this.io.mock(2, id);
    return { ret, device: struct.u32(16), hwpt: struct.u32(20) };
  }

  checkMap(hwpt: number, iova: Address, length: Address, address: Address): number {
    return this.io.mock(3, hwpt, ...wide(iova, length, address)).ret;
  }

  checkRefs(address: Address, length: Address, refs: number): number {
    return this.io.mock(4, 0, ...wide(length, address), refs).ret;
  }

  access(ioas: number, pins = true): number {
    const { ret, struct } = this.io.mock(5, ioas, 0, pins ? 1 : 0);
    return ret === 0 ? struct.u32(16) : ret;
  }

  /** The id of what is pinned, or a negative errno. */
  pin(access: number, iova: Address, length: Address, write = false, address: Address = 0): number {
    const { ret, struct } = this.io.mock(7, access, write ? 1 : 0, 0, ...wide(iova, length, address));
    return ret === 0 ? struct.u32(20) : ret;
  }

  unpin(access: number, id: number): number {
    return this.io.mock(6, access, id).ret;
  }

  rw(access: number, iova: Address, length: Address, flags = 0, buffer: Address = BUFFER + 0x80_0000): number {
    return this.io.mock(8, access, ...wide(iova, length, buffer), flags).ret;
  }

  replace(access: number, ioas: number): number {
    return this.io.mock(11, access, ioas).ret;
  }

  dmabuf(length: number): number {
    return this.io.mock(22, 0, length, 0).ret;
  }
}

describe('the order of checks', () => {
  test('pinning looks at alignment, then rights, then what can be accessed', () => {
    const calls = new Calls();
    const ioas = calls.ioas();
    const access = calls.access(ioas);
    const fd = calls.dmabuf(4 * PAGE);
    expect(calls.map(ioas, BUFFER, PAGE, START, FIXED | WRITE)).toBe(0);
    expect(calls.mapFile(ioas, fd, PAGE, START + PAGE, FIXED | WRITE)).toBe(0);
    expect(calls.pin(access, START + 1, 1)).toBe(-ERRNO.EINVAL);
    expect(calls.pin(access, START, PAGE)).toBe(-ERRNO.EPERM);
    expect(calls.pin(access, START, PAGE, true)).toBe(0);
    expect(calls.pin(access, START + PAGE + 1, 1)).toBe(-ERRNO.EINVAL);
    expect(calls.pin(access, START + PAGE, PAGE)).toBe(-ERRNO.EPERM);
    expect(calls.pin(access, START + PAGE, PAGE, true)).toBe(-ERRNO.EINVAL);
    expect(calls.pin(access, START + 2 * PAGE, PAGE)).toBe(-ERRNO.ENOENT);
  });

  test('reading and writing look at rights, then at what can be accessed', () => {
    const calls = new Calls();
    const ioas = calls.ioas();
    const access = calls.access(ioas, false);
    const fd = calls.dmabuf(PAGE);
    expect(calls.mapFile(ioas, fd, PAGE, START, FIXED | WRITE)).toBe(0);
    expect(calls.rw(access, START, 8)).toBe(-ERRNO.EPERM);
    expect(calls.rw(access, START, 8, 1)).toBe(-ERRNO.EINVAL);
  });

  test('without any rights, pages are still pinned before the table refuses', () => {
    const calls = new Calls();
    const ioas = calls.ioas();
    const compatMap = (address: Address): number => calls.io.call(0x3b71, 0, ...wide(address, START, PAGE)).ret;
    expect(calls.io.call(0x3b88, ioas, 1).ret).toBe(0);
    expect(calls.attach(ioas).ret).toBe(0);
    expect(compatMap(BUFFER)).toBe(-ERRNO.EINVAL);
    expect(compatMap(0x1_0000)).toBe(-ERRNO.EFAULT);
    expect(calls.checkRefs(BUFFER, PAGE, 0)).toBe(0);
  });

  test('a dma-buf is too short before anything else is wrong with it', () => {
    const calls = new Calls();
    const ioas = calls.ioas();
    const fd = calls.dmabuf(PAGE);
    expect(calls.io.mock(23, 0, fd, 1).ret).toBe(0);
    expect(calls.mapFile(ioas, fd, 2 * PAGE)).toBe(-ERRNO.EINVAL);
    expect(calls.mapFile(ioas, fd, PAGE)).toBe(-ERRNO.ENODEV);
  });
});

describe('the last page of 64 bits', () => {
  test('can be mapped without a domain, but start and length overflow where it is pinned', () => {
    const calls = new Calls();
    const ioas = calls.ioas();
    expect(calls.map(ioas, LAST_PAGE, PAGE)).toBe(-ERRNO.EOVERFLOW);
    expect(calls.map(ioas, LAST_PAGE, 0x800)).toBe(0);
    const access = calls.access(ioas, false);
    expect(calls.rw(access, START, 8)).toBe(-ERRNO.EFAULT);
    expect(calls.rw(access, START, 8, 4)).toBe(-ERRNO.EFAULT);
    expect(calls.attach(ioas).ret).toBe(-ERRNO.EOVERFLOW);
    expect(calls.unmap(ioas, START, 0x800)).toBe(0x800n);
    const { ret, hwpt } = calls.attach(ioas);
    expect(ret).toBe(0);
    expect(calls.map(ioas, LAST_PAGE, 0x800)).toBe(-ERRNO.EOVERFLOW);
    expect(calls.map(ioas, LAST_PAGE - 0x1000n, 0x800)).toBe(-ERRNO.EFAULT);
    expect(calls.map(ioas, 0x7fff_ffff_f000, PAGE)).toBe(-ERRNO.EFAULT);
    expect(calls.checkMap(hwpt, START, 0x800, LAST_PAGE)).toBe(-ERRNO.EOVERFLOW);
    expect(calls.checkMap(hwpt, START, 0x800, LAST_PAGE - 0x1000n)).toBe(-ERRNO.EFAULT);
    expect(calls.checkMap(hwpt, START, PAGE, LAST_PAGE)).toBe(-ERRNO.EINVAL);
  });

  test('addresses keep their offset in the page however high they are', () => {
    const calls = new Calls();
    expect(calls.mapAnywhere(calls.ioas(), 0x8000_0000_0000_0400n, 0x400)).toBe(0x1400n);
    expect(calls.mapAnywhere(calls.ioas(), 0x1000_0000_0400n, 0x400)).toBe(0x1400n);
    expect(calls.mapAnywhere(calls.ioas(), 0x8000_0000_0000_0000n, 0x400)).toBe(0x1000n);
  });
});

test('hardware that tells of no page size at all counts as not known', () => {
  const told = (pageSizes: bigint | undefined): number => {
    const io = new SimulatedCalls(recordedBackend({ ...UNKNOWN_HARDWARE, pageSizes }));
    const { traits } = mockDevice(0);
    const device = io.context.objects.add(new Device(io.context, traits, undefined));
    const ioas = io.call(0x3b81, 0, 0).struct.u32(8);
    expect(io.call(0x3b85, RW, ioas, 0, ...wide(BUFFER, PAGE, START)).ret).toBe(0);
    expect(device.change(0, ioas, 'attach')).toBeGreaterThan(0);
    return Number(io.call(0x3b84, ioas, 0, 0, 0, 0, 0, 0).struct.u64(24));
  };
  expect([told(undefined), told(0n), told(0x20_1000n)]).toEqual([PAGE, PAGE, PAGE]);
});

describe('pieces of a copy that a table does not take', () => {
  const pieces = (calls: Calls): number => {
    const from = calls.ioas();
    expect(calls.map(from, BUFFER, 0x400)).toBe(0);
    expect(calls.map(from, BUFFER + PAGE, 0xc00, START + 0x400)).toBe(0);
    return from;
  };

  test('are refused as a whole where there is a domain', () => {
    const calls = new Calls();
    const from = pieces(calls);
    const to = calls.ioas();
    calls.attach(to);
    expect(calls.copy(to, from, PAGE, START, START)).toBe(-ERRNO.EINVAL);
    expect(calls.checkRefs(BUFFER, 2 * PAGE, 0)).toBe(0);
    expect(calls.unmap(to, START, PAGE)).toBe(-ERRNO.ENOENT);
    expect(calls.copy(to, from, 0x800, START, START)).toBe(-ERRNO.EINVAL);
  });

  test('go in where there is none, and then no domain does', () => {
    const calls = new Calls();
    const from = pieces(calls);
    const to = calls.ioas();
    expect(calls.access(to)).toBeGreaterThan(0);
    expect(calls.copy(to, from, PAGE, START, START)).toBe(0);
    expect(calls.attach(to).ret).toBe(-ERRNO.EINVAL);
    expect(calls.attach(from).ret).toBe(-ERRNO.EADDRINUSE);
    expect(calls.unmap(to, START, PAGE)).toBe(BigInt(PAGE));
    expect(calls.attach(to).ret).toBe(0);
  });

  test('must be whole pages where large pages are off', () => {
    const calls = new Calls();
    const from = calls.ioas();
    const to = calls.ioas();
    expect(calls.map(from, BUFFER, 0x800)).toBe(0);
    expect(calls.map(from, BUFFER + PAGE, 0x800, START + 0x800)).toBe(0);
    calls.attach(to);
    expect(calls.copy(to, from, PAGE, START, START)).toBe(0);
    expect(calls.unmap(to, START, PAGE)).toBe(BigInt(PAGE));
    expect(calls.largePages(to, false)).toBe(0);
    expect(calls.copy(to, from, PAGE, START, START)).toBe(-ERRNO.EINVAL);
  });
});

describe('pages that several use', () => {
  test('a domain comes and goes while an access holds a part', () => {
    const calls = new Calls();
    const ioas = calls.ioas();
    const access = calls.access(ioas);
    expect(calls.map(ioas, BUFFER, 16 * PAGE)).toBe(0);
    for (let pages = 1; pages < 16; pages++) {
      const first = calls.pin(access, START, pages * PAGE, false, BUFFER);
      const second = calls.pin(access, START, pages * PAGE, true, BUFFER);
      expect([first, second]).toEqual([2 * pages - 2, 2 * pages - 1]);
      expect(calls.unpin(access, second)).toBe(0);
      const { device, hwpt } = calls.attach(ioas);
      expect(calls.checkMap(hwpt, START, 16 * PAGE, BUFFER)).toBe(0);
      expect(calls.checkRefs(BUFFER, 16 * PAGE, 1)).toBe(0);
      expect(calls.destroy(device)).toBe(0);
      expect(calls.checkRefs(BUFFER, pages * PAGE, 1)).toBe(0);
      expect(calls.checkRefs(BUFFER + pages * PAGE, (16 - pages) * PAGE, 0)).toBe(0);
      expect(calls.unpin(access, first)).toBe(0);
      expect(calls.checkRefs(BUFFER, 16 * PAGE, 0)).toBe(0);
    }
    const last = calls.pin(access, START, PAGE);
    expect(calls.unmap(ioas, START, 16 * PAGE)).toBe(BigInt(16 * PAGE));
    expect(calls.unpin(access, last)).toBe(-ERRNO.ENOENT);
  });

  test('an access moves to another address space, and a copy outlives the first', () => {
    const calls = new Calls();
    const [domain, first, second] = [calls.ioas(), calls.ioas(), calls.ioas()];
    const { hwpt } = calls.attach(domain);
    for (const ioas of [first, second]) expect(calls.map(ioas, BUFFER, 16 * PAGE, START * 2)).toBe(0);
    const access = calls.access(first);
    expect(calls.pin(access, START * 2, 16 * PAGE, false, BUFFER)).toBe(0);
    expect(calls.copy(domain, first, 16 * PAGE, START * 2, START)).toBe(0);
    expect(calls.checkMap(hwpt, START, 16 * PAGE, BUFFER)).toBe(0);
    expect(calls.destroy(first)).toBe(-ERRNO.EBUSY);
    expect(calls.replace(access, second)).toBe(0);
    expect(calls.unpin(access, 0)).toBe(-ERRNO.ENOENT);
    expect(calls.unmap(domain, START, 16 * PAGE)).toBe(BigInt(16 * PAGE));
    expect(calls.destroy(first)).toBe(0);
    expect(calls.checkRefs(BUFFER, 16 * PAGE, 0)).toBe(0);
    expect(calls.pin(access, START * 2, 16 * PAGE, false, BUFFER)).toBe(1);
    expect(calls.pin(access, START * 2, PAGE, false, BUFFER + PAGE)).toBe(-ERRNO.EBADE);
    expect(calls.replace(access, domain)).toBe(0);
    expect(calls.destroy(second)).toBe(0);
  });

  test('an area of a process that is gone can be used as far as it was pinned', () => {
    for (const before of [true, false]) {
      const calls = new Calls();
      const ioas = calls.ioas();
      const access = calls.access(ioas, false);
      if (before) calls.attach(ioas);
      const { machine, process } = calls.io;
      const parent = process.memory;
      fork(machine, 1, 2);
      const child = machine.processes.get(2);
      if (child === undefined) throw new Error('forked');
      process.memory = child.memory;
      expect(calls.map(ioas, BUFFER, 16 * PAGE)).toBe(0);
      process.memory = parent;
      child.memory.gone = true;
      const { ret, hwpt } = calls.attach(ioas);
      expect(ret).toBe(before ? 0 : -ERRNO.EFAULT);
      if (before) expect(calls.checkMap(hwpt, START, 16 * PAGE, BUFFER)).toBe(0);
      expect(calls.rw(access, START + PAGE - 4, 8)).toBe(before ? 0 : -ERRNO.EFAULT);
      expect(calls.rw(access, START, 8)).toBe(before ? 0 : -ERRNO.EFAULT);
      expect(calls.unmap(ioas, START, 16 * PAGE)).toBe(BigInt(16 * PAGE));
    }
  });
});
