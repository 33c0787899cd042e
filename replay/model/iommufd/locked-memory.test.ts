import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ERRNO } from './errno.ts';
import { mockBackend } from './mock/mock-backend.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';
import { applySystemCall, fork, newFile, processOf } from './system-calls.ts';
import { Machine } from './machine.ts';

const IOVA = 0x100_0000;
const FIXED_RW = 7;

/** A process without CAP_IPC_LOCK and with a limit, an IOAS, and by `domain` a mock device that is attached to it. */
function setUp(memlock: number | undefined, { domain = true, perProcess = false } = {}) {
  const calls = new SimulatedCalls(mockBackend);
  const { process, context } = calls;
  process.ipcLock = false;
  process.memlock = memlock;
  context.accountPerProcess = perProcess;
  const ioas = calls.call(0x3b81, 0, 0).struct.u32(8);
  const attach = (): number => calls.mock(2, ioas).ret;
  if (domain) expect(attach()).toBe(0);
  const map = (iova: number, pages: number): number =>
    calls.call(0x3b85, FIXED_RW, ioas, 0, BUFFER, 0, pages * 4096, 0, iova, 0).ret;
  const unmap = (iova: number, pages: number): number => calls.call(0x3b86, ioas, iova, 0, pages * 4096, 0).ret;
  return { calls, process, ioas, map, unmap, attach };
}

describe('RLIMIT_MEMLOCK of an IOAS', () => {
  test('by user and by process: over the limit is ENOMEM and maps nothing; unmapping gives room', () => {
    for (const perProcess of [false, true]) {
      const { map, unmap, process } = setUp(4 * 4096, { perProcess });
      const ledger = perProcess ? process.memory : process.user;
      expect([map(IOVA, 3), map(IOVA + 0x1_0000, 2)]).toEqual([0, -ERRNO.ENOMEM]);
      expect(ledger.lockedPages).toBe(3);
      expect([map(IOVA + 0x1_0000, 1), unmap(IOVA, 3), map(IOVA + 0x2_0000, 3)]).toEqual([0, 0, 0]);
      expect(ledger.lockedPages).toBe(4);
      expect(unmap(IOVA + 0x1_0000, 2)).toBe(0);
    }
  });

  test('nothing is locked before a domain comes: then its attachment fails', () => {
    const { map, attach } = setUp(4096, { domain: false });
    expect([map(IOVA, 2), attach()]).toEqual([0, -ERRNO.ENOMEM]);
  });

  test('CAP_IPC_LOCK counts nothing; a limit that is not known is none, and is noted', () => {
    const free = setUp(0);
    free.process.ipcLock = true;
    expect([free.map(IOVA, 2), free.process.user.lockedPages, free.process.limitMissed]).toEqual([0, 0, false]);
    const unknown = setUp(undefined);
    expect([unknown.map(IOVA, 2), unknown.process.user.lockedPages, unknown.process.limitMissed]).toEqual([0, 2, true]);
  });

  test('a copy shares the pages, and with them their count', () => {
    const { calls, ioas, map, unmap, process } = setUp(2 * 4096);
    expect(map(IOVA, 2)).toBe(0);
    const copy = calls.call(0x3b83, FIXED_RW, ioas, ioas, 8192, 0, IOVA + 0x1_0000, 0, IOVA, 0).ret;
    expect([copy, process.user.lockedPages, unmap(IOVA, 2), process.user.lockedPages]).toEqual([0, 2, 0, 2]);
    expect([unmap(IOVA + 0x1_0000, 2), process.user.lockedPages]).toEqual([0, 0]);
  });

  test('the books balance: what is counted is what is mapped, never above the limit', () => {
    const step = fc.record({ slot: fc.nat(7), pages: fc.integer({ min: 1, max: 4 }), map: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { map, unmap, process } = setUp(8 * 4096);
        const mapped = new Map<number, number>();
        for (const { slot, pages, map: maps } of steps) {
          const iova = IOVA + slot * 0x1_0000;
          const sum = [...mapped.values()].reduce((total, count) => total + count, 0);
          if (maps) {
            const ret = map(iova, pages);
            expect(ret).toBe(mapped.has(slot) ? -ERRNO.EEXIST : sum + pages > 8 ? -ERRNO.ENOMEM : 0);
            if (ret === 0) mapped.set(slot, pages);
          } else {
            expect(unmap(iova, 16)).toBe(mapped.delete(slot) ? 0 : -ERRNO.ENOENT);
          }
          expect(process.user.lockedPages).toBe([...mapped.values()].reduce((total, count) => total + count, 0));
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('CHANGE_PROCESS', () => {
  const memfd = { name: 'memfd_create', pid: 1, fd: -1, args: [0, 0], ret: 9, path: undefined, data: undefined };

  test('charges the caller, all or nothing; mappings stay', () => {
    const { calls, ioas, process } = setUp(8 * 4096, { perProcess: true });
    applySystemCall(calls.machine, memfd);
    applySystemCall(calls.machine, { ...memfd, name: 'ftruncate', fd: 9, args: [9, 8192], ret: 0 });
    expect(calls.call(0x3b8f, FIXED_RW, ioas, 9, 0, 0, 8192, 0, IOVA, 0).ret).toBe(0);
    fork(calls.machine, 1, 2);
    const child = processOf(calls.machine, 2);
    expect([process.memory.lockedPages, child.memory.lockedPages]).toEqual([2, 0]);
    child.memlock = 4096;
    const change = (by: typeof child): number => {
      by.memory.remember(calls.argument, new Uint8Array([8, 0, 0, 0, 0, 0, 0, 0]));
      return calls.callBy(by, 0x3b92);
    };
    expect([change(child), process.memory.lockedPages]).toEqual([-ERRNO.ENOMEM, 2]);
    child.memlock = 8192;
    expect([change(child), process.memory.lockedPages, child.memory.lockedPages]).toEqual([0, 0, 2]);
    expect(calls.call(0x3b86, ioas, IOVA, 0, 8192, 0).ret).toBe(0);
    expect(child.memory.lockedPages).toBe(0);
  });

  test('needs files behind all areas', () => {
    const { calls, map } = setUp(undefined);
    expect([calls.call(0x3b92, 0).ret, map(IOVA, 1), calls.call(0x3b92, 0).ret]).toEqual([0, 0, -ERRNO.EINVAL]);
  });
});

describe('limits and users of processes', () => {
  const limit = (soft: bigint): Uint8Array => new Uint8Array(new BigUint64Array([soft, soft]).buffer);
  const call = (name: string, args: readonly number[], bytes?: Uint8Array, at = 0x5000) => ({
    name,
    pid: 1,
    fd: -1,
    args,
    ret: 0,
    path: undefined,
    data: undefined,
    memory: bytes === undefined ? [] : [{ field: 'rlim', address: at, bytes }],
  });

  test('prlimit64, setrlimit and getrlimit tell the limit of locked memory, of the process that they name', () => {
    const machine = new Machine(mockBackend);
    const process = processOf(machine, 1);
    applySystemCall(machine, call('prlimit64', [0, 7, 0x5000], limit(1n)));
    expect(process.memlock).toBeUndefined();
    applySystemCall(machine, call('prlimit64', [0, 8, 0, 0x5000], limit(0x2_0000_0000n)));
    expect(process.memlock).toBe(0x2_0000_0000);
    applySystemCall(machine, call('setrlimit', [8, 0x5000], limit(2n ** 64n - 1n)));
    expect(process.memlock).toBe(Infinity);
    const other = processOf(machine, 2);
    applySystemCall(machine, call('prlimit64', [2, 8, 0x5000], limit(4096n)));
    expect([process.memlock, other.memlock]).toEqual([Infinity, 4096]);
    applySystemCall(machine, call('setrlimit', [8, 0x5000]));
    expect(process.memlock).toBeUndefined();
    applySystemCall(machine, call('getrlimit', [8, 0x5000], limit(8192n)));
    expect(process.memlock).toBe(8192);
  });

  test('a limit of the recording holds until another is seen', () => {
    const machine = new Machine(mockBackend);
    machine.memlock = 65_536;
    const process = processOf(machine, 1);
    expect(process.memlock).toBe(65_536);
    applySystemCall(machine, call('setrlimit', [8, 0x5000], limit(4096n)));
    fork(machine, 1, 2);
    expect(processOf(machine, 2).memlock).toBe(4096);
  });

  test('leaving root ends the capabilities; processes of one user share the count', () => {
    const machine = new Machine(mockBackend);
    const process = processOf(machine, 1);
    process.installAt(3, newFile('other'));
    fork(machine, 1, 2);
    expect(processOf(machine, 2).user).toBe(process.user);
    applySystemCall(machine, call('setresuid', [-1 >>> 0, 0, 0]));
    expect(process.ipcLock).toBe(true);
    applySystemCall(machine, call('setuid', [1000]));
    expect([process.ipcLock, process.sysResource, process.user]).toEqual([false, false, machine.user(1000)]);
    expect(processOf(machine, 2).user).toBe(machine.user(0));
  });
});
