import { describe, expect, test } from 'vitest';
import { openIommufd } from '../model/iommufd/iommufd-file.ts';
import { SimulatedCalls } from '../model/iommufd/simulated-calls.ts';
import { mockBackend } from '../model/iommufd/mock/mock-backend.ts';
import { transferEvents } from './event-fds.ts';

const IN = 0x41;
const OUT = 4;

/** struct pollfd {i32 fd, i16 events, i16 revents}. */
function polled(...fds: readonly (readonly [fd: number, events: number, revents: number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(fds.length * 8));
  for (const [i, [fd, events, revents]] of fds.entries()) {
    view.setInt32(i * 8, fd, true);
    view.setUint16(i * 8 + 4, events, true);
    view.setUint16(i * 8 + 6, revents, true);
  }
  return new Uint8Array(view.buffer);
}

const poll = (ret: number, bytes: Uint8Array) => ({
  name: 'poll',
  pid: 1,
  fd: -1,
  args: [0x1000, bytes.length / 8, 0],
  ret,
  path: undefined,
  data: undefined,
  memory: [{ field: 'fds', address: 0x1000, bytes }],
});

describe('polls of queues', () => {
  const calls = new SimulatedCalls(mockBackend);
  const fd = calls.call(0x3b8e, 0, 0, 0).struct.u32(12);
  const { process } = calls;

  test('a fault queue can always be written; there is nothing to read', () => {
    const call = (revents: number) => transferEvents(process, poll(1, polled([77, 1, 1], [fd, IN | OUT, revents])));
    expect(call(OUT)).toEqual({ name: 'fault poll', recorded: `fd ${fd} 0x4`, model: `fd ${fd} 0x4` });
    expect(call(IN | OUT)).toMatchObject({ recorded: `fd ${fd} 0x45`, model: `fd ${fd} 0x4` });
  });

  test('of requests that a device sent nothing is known here', () => {
    const call = poll(1, polled([fd, IN | OUT, IN | OUT]));
    expect(transferEvents(process, call, true)).toMatch(/^page requests of a device/);
    const read = { ...call, name: 'read', fd, args: [fd, 0x1000, 40], ret: 40, data: new Uint8Array(40) };
    expect(transferEvents(process, read, true)).toMatch(/^page requests of a device/);
    expect(transferEvents(process, read)).toMatchObject({ name: 'fault read', model: '0: ' });
  });

  test('only what was asked for is found', () => {
    expect(transferEvents(process, poll(0, polled([fd, 1, 0])))).toMatchObject({ model: `fd ${fd} 0x0` });
  });

  test('other files, and polls that were interrupted, are no part of it', () => {
    expect(transferEvents(process, poll(1, polled([calls.fd, 1, 1])))).toBeUndefined();
    expect(transferEvents(process, poll(-4, polled([fd, 1, 1])))).toBeUndefined();
  });
});

describe('maps of /dev/iommu', () => {
  const calls = new SimulatedCalls(mockBackend);
  const region = calls.context.mmapRegions.add(0x2000);
  const map = (ret: number, length: number, prot: number, flags: number, offset: number) =>
    transferEvents(calls.process, {
      name: 'mmap',
      pid: 1,
      fd: calls.fd,
      args: [0, length, prot, flags, calls.fd, offset],
      ret,
      path: '/dev/iommu',
      data: undefined,
    });

  test.each([
    ['whole and shared', 0x5000_0000, 0x2000, 3, 1, region.offset, 'mapped'],
    ['a part of it', -6, 0x1000, 3, 1, region.offset, 'ENXIO'],
    ['elsewhere', -6, 0x2000, 3, 1, region.offset + 0x1000, 'ENXIO'],
    ['private', -22, 0x2000, 3, 2, region.offset, 'EINVAL'],
    ['executable', -1, 0x2000, 7, 1, region.offset, 'EPERM'],
  ])('%s', (_, ret, length, prot, flags, offset, what) => {
    expect(map(ret, length, prot, flags, offset)).toEqual({ name: 'iommufd mmap', recorded: what, model: what });
  });

  test('at an address of the caller’s choice, and of a context from before the recording, nothing is told', () => {
    expect(map(-1, 0x2000, 3, 0x11, region.offset)).toBeUndefined();
    const older = openIommufd(calls.machine);
    older.context.partial = true;
    calls.process.installAt(9, older);
    const args = [0, 0x2000, 3, 1, 9, 0x1000];
    const call = { name: 'mmap', pid: 1, fd: 9, args, ret: 0x5000_0000, path: undefined, data: undefined };
    expect(transferEvents(calls.process, call)).toBeUndefined();
  });
});
