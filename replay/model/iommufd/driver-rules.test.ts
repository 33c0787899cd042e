import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Backend } from './backend.ts';
import { HWPT_FLAG } from './hwpt.ts';
import { mockBackend } from './mock/mock-backend.ts';
import { objectTrees } from './object-tree.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';

/** The rules for IOMMU drivers of the 2023 Linux Plumbers talk on IOMMUFD, by number, on the model. */

const ALLOC_IOAS = 0x3b81;
const MAP = 0x3b85;
const HWPT = 0x3b89;
const MOCK = {
  domain: 2,
  checkMap: 3,
  replace: 10,
  domainFlags: 12,
  pasidAttach: 18,
  pasidReplace: 19,
  pasidDetach: 20,
};
const PASID_DEVICE = 4;
const IOVA = 0x200_0000;

function ioas(calls: SimulatedCalls): number {
  return calls.call(ALLOC_IOAS, 0, 0).struct.u32(8);
}

function map(calls: SimulatedCalls, id: number, iova: number, bytes = 4096, from = BUFFER): number {
  return calls.call(MAP, 7, id, 0, from, 0, bytes, 0, iova, 0).ret;
}

function hwpt(calls: SimulatedCalls, device: number, parent: number, flags: number): number {
  return calls.call(HWPT, flags, device, parent, 0, 0, 0, 0, 0, 0).struct.u32(16);
}

/** A device attached to an IOAS: ids of the mock object, the automatic domain, the device. */
function device(calls: SimulatedCalls, id: number, flags = 0): { mock: number; auto: number; id: number } {
  const { struct } = calls.mock(MOCK.domainFlags, id, 0, 0, 0, flags);
  return { mock: struct.u32(16), auto: struct.u32(20), id: struct.u32(24) };
}

function state(calls: SimulatedCalls): unknown {
  const areas = [...calls.context.objects.values()].flatMap((object) => {
    const found = calls.context.objects.find(object.id, 'ioas');
    return found === undefined
      ? []
      : [{ id: found.id, areas: found.areas.size, alignment: found.alignment, holes: found.reserved.holes() }];
  });
  return { trees: objectTrees(calls.machine), areas };
}

/** The mock driver, with a look at each attach. */
function watched(onAttach: Backend['attach']): Backend {
  return { ...mockBackend, attach: onAttach };
}

describe('driver rules', () => {
  test('1: going to blocked never fails', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 }), (pasids) => {
        const calls = new SimulatedCalls(mockBackend);
        const first = ioas(calls);
        const { mock, id } = device(calls, first, PASID_DEVICE);
        const paging = hwpt(calls, id, first, HWPT_FLAG.pasid);
        calls.mock(MOCK.replace, mock, paging);
        for (const pasid of pasids) {
          calls.mock(MOCK.pasidAttach, mock, pasid + 1, paging);
          expect(calls.mock(MOCK.pasidDetach, mock, pasid).ret).toBe(0);
          if (pasid > 0) expect(calls.context.objects.find(id, 'device')?.attached(pasid)).toBeUndefined();
        }
      }),
    );
  });

  test('2: what was mapped before the attach translates with it', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 20 }), (pages) => {
        const calls = new SimulatedCalls(mockBackend);
        const first = ioas(calls);
        for (const page of pages) expect(map(calls, first, IOVA + page * 4096, 4096, BUFFER + page * 8192)).toBe(0);
        const { auto } = device(calls, first);
        for (const page of pages) {
          const iova = IOVA + page * 4096;
          expect(calls.mock(MOCK.checkMap, auto, iova, 0, 4096, 0, BUFFER + page * 8192, 0).ret).toBe(0);
          expect(calls.mock(MOCK.checkMap, auto, iova, 0, 4096, 0, BUFFER + page * 8192 + 4096, 0).ret).toBe(-22);
        }
      }),
    );
  });

  test('3: a failed attach or replace changes nothing', () => {
    const target = fc.constantFrom('none', 'device', 'outside', 'unmapped', 'noPasid', 'driver');
    fc.assert(
      fc.property(target, fc.boolean(), (what, pasid) => {
        let refuse = false;
        const calls = new SimulatedCalls(watched((...args) => (refuse ? -12 : mockBackend.attach(...args))));
        const first = ioas(calls);
        const other = ioas(calls);
        const own = device(calls, first, PASID_DEVICE);
        const paging = hwpt(calls, own.id, first, HWPT_FLAG.pasid);
        const plain = hwpt(calls, own.id, other, 0);
        calls.mock(MOCK.replace, own.mock, paging);
        calls.mock(MOCK.pasidAttach, own.mock, 3, paging);
        // An area outside the mock's aperture, and one of memory that isn't there: no domain can be made on these.
        const outside = ioas(calls);
        map(calls, outside, 0x1000);
        const unmapped = ioas(calls);
        map(calls, unmapped, IOVA, 4096, 0x6000_0000);
        const id = { none: 9999, device: own.id, outside, unmapped, noPasid: plain, driver: paging }[what];
        refuse = what === 'driver';
        const before = JSON.stringify(state(calls), (_, value: unknown) =>
          typeof value === 'bigint' ? `${value}` : value,
        );
        const result = pasid
          ? calls.mock(MOCK.pasidAttach, own.mock, 7, id)
          : calls.mock(MOCK.replace, own.mock, what === 'driver' ? plain : id);
        expect(result.ret).toBeLessThan(0);
        const after = JSON.stringify(state(calls), (_, value: unknown) =>
          typeof value === 'bigint' ? `${value}` : value,
        );
        expect(after).toBe(before);
      }),
    );
  });

  test('4, 10: a replace is hitless: the old domain translates until the new one does, and both have the mapping', () => {
    const seen: { old: number | undefined; now: number | undefined }[] = [];
    const calls = new SimulatedCalls(
      watched((target, pasid, next, old) => {
        seen.push({ old: old?.id, now: target.attached(pasid)?.id });
        if (old !== undefined) {
          for (const side of [old, next])
            if (side.type === 'hwptPaging') expect(side.ioas.areas.first(BigInt(IOVA), BigInt(IOVA))).toBeDefined();
        }
        return mockBackend.attach(target, pasid, next, old);
      }),
    );
    const first = ioas(calls);
    const second = ioas(calls);
    map(calls, first, IOVA);
    map(calls, second, IOVA);
    const own = device(calls, first);
    const to = hwpt(calls, own.id, second, 0);
    expect(calls.mock(MOCK.replace, own.mock, to).ret).toBe(0);
    expect(calls.mock(MOCK.replace, own.mock, first).ret).toBe(0);
    expect(seen).toHaveLength(3);
    expect(seen.slice(1).every(({ old, now }) => old !== undefined && old === now)).toBe(true);
  });

  test('5: between two paging domains there is blocked, and nothing else, even on failure', () => {
    let refuse = false;
    const calls = new SimulatedCalls(watched((...args) => (refuse ? -22 : mockBackend.attach(...args))));
    const first = ioas(calls);
    const own = device(calls, first, PASID_DEVICE);
    const paging = hwpt(calls, own.id, first, HWPT_FLAG.pasid);
    calls.mock(MOCK.replace, own.mock, paging);
    const known = calls.context.objects.find(own.id, 'device');
    calls.mock(MOCK.pasidAttach, own.mock, 5, paging);
    expect(known?.attached(5)?.id).toBe(paging);
    calls.mock(MOCK.pasidDetach, own.mock, 5);
    expect(known?.attached(5)).toBeUndefined();
    refuse = true;
    expect(calls.mock(MOCK.pasidAttach, own.mock, 5, paging).ret).toBe(-22);
    expect(known?.attached(5)).toBeUndefined();
    refuse = false;
    expect(calls.mock(MOCK.pasidAttach, own.mock, 5, paging).ret).toBe(0);
  });

  test('6, 7: the RID changes while PASIDs are in use, and does not touch them', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.nat(2)), { maxLength: 20 }), (steps) => {
        const calls = new SimulatedCalls(mockBackend);
        const first = ioas(calls);
        const second = ioas(calls);
        const own = device(calls, first, PASID_DEVICE);
        const pool = [first, first, second].map((id) => hwpt(calls, own.id, id, HWPT_FLAG.pasid));
        calls.mock(MOCK.replace, own.mock, pool[0] ?? 0);
        const expected = new Map<number, number>([[0, pool[0] ?? 0]]);
        const known = calls.context.objects.find(own.id, 'device');
        for (const [pasid, which] of steps) {
          const to = pool[which] ?? 0;
          if (pasid === 0) {
            expect(calls.mock(MOCK.replace, own.mock, to).ret).toBe(0);
            expected.set(0, to);
          } else if (expected.has(pasid)) {
            expect(calls.mock(MOCK.pasidReplace, own.mock, pasid, to).ret).toBe(0);
            expected.set(pasid, to);
          } else {
            expect(calls.mock(MOCK.pasidAttach, own.mock, pasid, to).ret).toBe(0);
            expected.set(pasid, to);
          }
          for (const [used, id] of expected) expect(known?.attached(used)?.id).toBe(id);
        }
        // A domain that was not made for PASIDs can't take the RID's place meanwhile.
        const plain = hwpt(calls, own.id, first, 0);
        expect(calls.mock(MOCK.replace, own.mock, plain).ret).toBe(expected.size > 1 ? -22 : 0);
      }),
    );
  });
});
