import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressSpace } from './address-space.ts';
import type { Device } from './device.ts';
import { ERRNO } from './errno.ts';
import { mockBackend } from './mock/mock-backend.ts';
import { reportPageRequests } from './page-fault.ts';
import { Process } from './process.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';
import { SvaBinds } from './sva.ts';

const OP = { checkMap: 3, replace: 10, device: 12, pasidAttach: 18, pasidDetach: 20 } as const;
const IOVA = 0x200_0000;
const PASID_FLAG = 8;

/** A mock device with PASIDs on an IOAS, and HWPTs that PASIDs can be attached to, each with a mapping of its own. */
function setUp(hwpts: number) {
  const calls = new SimulatedCalls(mockBackend);
  const ioas = calls.call(0x3b81, 0, 0).struct.u32(8);
  const made = calls.mock(OP.device, ioas, 0, 0, 0, 4).struct;
  const object = made.u32(16);
  const device = calls.context.objects.find(made.u32(24), 'device') as Device;
  const rid = calls.call(0x3b89, PASID_FLAG, device.id, ioas, 0, 0, 0, 0, 0, 0).struct.u32(16);
  calls.mock(OP.replace, object, rid);
  const targets = Array.from({ length: hwpts }, (_, i) => {
    const own = calls.call(0x3b81, 0, 0).struct.u32(8);
    const from = BUFFER + i * 4096;
    calls.call(0x3b85, 7, own, 0, from, 0, 4096, 0, IOVA, 0);
    const hwpt = calls.call(0x3b89, PASID_FLAG, device.id, own, 0, 0, 0, 0, 0, 0).struct.u32(16);
    return { hwpt, from };
  });
  const translates = (hwpt: number, from: number): boolean =>
    calls.mock(OP.checkMap, hwpt, IOVA, 0, 4096, 0, from, 0).ret === 0;
  return { calls, object, device, rid, ioas, targets, translates };
}

const processes = [11, 12].map((pid) => new Process(pid, new AddressSpace()));

describe('shared virtual addressing', () => {
  test('8: paging and SVA domains are on PASIDs side by side, one each', () => {
    const step = fc.record({
      what: fc.constantFrom('bind', 'unbind', 'attach', 'detach', 'rid'),
      pasid: fc.integer({ min: 1, max: 3 }),
      which: fc.integer({ min: 0, max: 1 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { calls, object, device, rid, targets } = setUp(2);
        const sva = new SvaBinds();
        const expected = new Map<number, object>();
        const users = new Map<Process, number>();
        for (const { what, pasid, which } of steps) {
          const process = processes[which] as Process;
          const target = targets[which] as { hwpt: number };
          if (what === 'bind') {
            const given = sva.bind(device, process);
            const taken = [...expected].some(([, by]) => by !== process);
            expect(given > 0 || taken).toBe(true);
            if (given > 0) {
              expect(expected.get(given) ?? process).toBe(process);
              expected.set(given, process);
              users.set(process, (users.get(process) ?? 0) + 1);
            } else expect(given).toBe(-ERRNO.EBUSY);
          } else if (what === 'unbind') {
            const count = users.get(process) ?? 0;
            expect(sva.unbind(device, process)).toBe(count > 0);
            users.set(process, Math.max(0, count - 1));
            if (count === 1) for (const [at, by] of expected) if (by === process) expected.delete(at);
          } else if (what === 'attach') {
            const { ret } = calls.mock(OP.pasidAttach, object, pasid, target.hwpt);
            expect(ret).toBe(expected.has(pasid) ? -ERRNO.EBUSY : 0);
            if (ret === 0) expected.set(pasid, target);
          } else if (what === 'detach') {
            calls.mock(OP.pasidDetach, object, pasid);
            if (!(expected.get(pasid) instanceof Process)) expected.delete(pasid);
          } else {
            expect(calls.mock(OP.replace, object, which === 0 ? rid : target.hwpt).ret).toBe(0);
          }
          for (let at = 1; at <= 3; at++) {
            const by = expected.get(at);
            expect(sva.processOf(device, at)).toBe(by instanceof Process ? by : undefined);
            const hwpt = device.attached(at)?.id;
            expect(hwpt).toBe(by === undefined || by instanceof Process ? undefined : (by as { hwpt: number }).hwpt);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('9: a process has one PASID on all devices; its page requests are not iommufd’s', () => {
    const { device } = setUp(0);
    const sva = new SvaBinds();
    const [first, second] = processes as [Process, Process];
    expect(sva.bind(device, first)).toBe(1);
    expect(sva.bind(device, second)).toBe(2);
    expect(sva.bind(device, first)).toBe(1);
    const request = { flags: 3, pasid: 1, grpid: 0, perm: 1, addr: 0n };
    expect(reportPageRequests(device, [request])).toBe(false);
    expect(sva.unbind(device, first)).toBe(true);
    expect(sva.processOf(device, 1)).toBe(first);
    sva.release(first);
    expect(sva.processOf(device, 1)).toBeUndefined();
    expect(sva.bind(device, first)).toBe(1);
    const { device: small } = setUp(0);
    Object.assign(small, { traits: { ...small.traits, pasidBits: 0 } });
    expect(sva.bind(small, new Process(13, new AddressSpace()))).toBe(-ERRNO.ENOSPC);
  });
});

describe('scalable I/O virtualisation', () => {
  test('several PASID-granular devices on one RID have address spaces of their own', () => {
    const change = fc.record({ device: fc.integer({ min: 0, max: 3 }), attach: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const { calls, object, device, targets, translates } = setUp(4);
        const attached = new Set<number>();
        for (const { device: which, attach } of changes) {
          const target = targets[which] as { hwpt: number };
          const pasid = which + 1;
          if (attach) {
            const { ret } = calls.mock(OP.pasidAttach, object, pasid, target.hwpt);
            expect(ret).toBe(attached.has(which) ? -ERRNO.EBUSY : 0);
            attached.add(which);
          } else {
            expect(calls.mock(OP.pasidDetach, object, pasid).ret).toBe(0);
            attached.delete(which);
          }
          for (const [i, { hwpt, from }] of targets.entries()) {
            expect(device.attached(i + 1)?.id).toBe(attached.has(i) ? hwpt : undefined);
            expect(translates(hwpt, from)).toBe(true);
            expect(translates(hwpt, from + 4096)).toBe(false);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
