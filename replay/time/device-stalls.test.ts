import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeviceStalls } from './device-stalls.ts';

const RID = 0x18;
const DOMAIN = 4;

test('walks overlap, requests for a page under way join its walk, hits wait for nothing', () => {
  const stalls = new DeviceStalls(100, 32);
  stalls.request(0, RID, DOMAIN, 1, 4);
  stalls.request(50, RID, DOMAIN, 2, 1);
  // the cache holds page 1 from its miss on, but the walk is not done
  stalls.request(100, RID, DOMAIN, 1, 0);
  stalls.request(200, RID, DOMAIN, 3, 0);
  stalls.request(1000, RID, DOMAIN, 1, 0);
  expect(stalls.result(1)).toEqual([
    { rid: RID, requests: 5, walks: 2, walkReads: 5, merged: 1, waitNs: 400 + 100 + 300, stallNs: 400 },
  ]);
});

test('a device with all its requests under way makes the next when the oldest is done', () => {
  const stalls = new DeviceStalls(100, 2);
  for (const page of [1, 2, 3]) stalls.request(0, RID, DOMAIN, page, 1);
  expect(stalls.result(1)).toMatchObject([{ waitNs: 100 + 100 + 200, stallNs: 200 }]);
  expect(stalls.stallNs).toBe(200);
});

test('devices do not wait for each other', () => {
  const stalls = new DeviceStalls(100, 1);
  stalls.request(0, 1, DOMAIN, 1, 2);
  stalls.request(0, 2, DOMAIN, 1, 3);
  expect(stalls.stallNs).toBe(500);
  expect(stalls.result(1).map(({ rid }) => rid)).toEqual([2]);
});

test('a stall is no longer than all waits, and no shorter than the longest walk', () => {
  const requests = fc.array(fc.tuple(fc.nat(300), fc.nat(5), fc.nat(4)), { minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(requests, fc.integer({ min: 1, max: 8 }), (list, most) => {
      const stalls = new DeviceStalls(100, most);
      let now = 0;
      for (const [gap, page, reads] of list) {
        now += gap;
        stalls.request(now, RID, DOMAIN, page, reads);
      }
      const [device] = stalls.result(1);
      const longest = Math.max(...list.map(([, , reads]) => reads));
      expect(device?.stallNs).toBeLessThanOrEqual(device?.waitNs ?? -1);
      expect(device?.stallNs).toBeGreaterThanOrEqual(device?.merged === 0 ? longest * 100 : 0);
      // one place: requests wait one after the other, as in a queue with one server
      if (most === 1) expect(device?.stallNs).toBeLessThanOrEqual(100 * (device?.walkReads ?? 0) + 1);
    }),
    { numRuns: 200 },
  );
});
