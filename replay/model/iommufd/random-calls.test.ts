import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mockBackend } from './mock/mock-backend.ts';
import type { ObjectTypes } from './objects.ts';
import { QUIRKS } from './quirks.ts';
import type { QuirkName } from './quirks.ts';
import { BUFFER, BUFFER_BYTES, SimulatedCalls } from './simulated-calls.ts';
import type { SimulatedResult } from './simulated-calls.ts';
import { Unjudged } from './unjudged.ts';

type Step = (calls: SimulatedCalls) => SimulatedResult | boolean;
type Pick = (calls: SimulatedCalls) => number;

/** Mostly the id of an object of a type, as far as there is one; else any small number, or one that can't be. */
function of(...types: readonly (keyof ObjectTypes)[]): fc.Arbitrary<Pick> {
  return fc.nat(39).map((n) => (calls) => {
    const found = [...calls.context.objects.values()].filter((object) => types.includes(object.type));
    if (n >= 34 || found.length === 0) return [0, 1, 2, 5, 9999, 0xffff_ffff][n % 6] ?? 0;
    return found[n % found.length]?.id ?? 0;
  });
}

/** Mostly the fd of an access. */
const fd = fc.nat(20).map((n) => (calls: SimulatedCalls) => {
  const found = [...calls.process.fds].filter(([, file]) => file.kind === 'access');
  return (n < 18 ? found[n % Math.max(1, found.length)]?.[0] : undefined) ?? n - 17;
});

const ioas = of('ioas');
const device = of('device');
const mock = of('selftest');
const paging = of('hwptPaging');
const table = of('hwptPaging', 'hwptNested', 'ioas');
const parent = of('hwptPaging', 'ioas', 'viommu');
const viommu = of('viommu');
const fault = of('fault');
const any = of('ioas', 'hwptPaging', 'hwptNested', 'selftest', 'device', 'viommu', 'vdevice', 'veventq', 'fault');
const page = fc.nat(24).map((at) => 0x200_0000 + at * 4096);
const address = fc.nat(BUFFER_BYTES / 4096 - 64).map((at) => BUFFER + at * 4096);
const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 4 }).map((pages) => pages * 4096) },
  fc.constantFrom(0, 2048, 1),
);
const bits = fc.oneof({ weight: 8, arbitrary: fc.nat(15) }, fc.nat());
const pasid = fc.constantFrom(0, 1, 2, 1024);

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>((c) => c.call(0x3b81, 0, 0)),
  any.map(
    (a): Step =>
      (c) =>
        c.call(0x3b80, a(c)),
  ),
  fc.tuple(ioas, address, bytes, page, fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 7)).map(
    ([a, from, size, iova, flags]): Step =>
      (c) =>
        c.call(0x3b85, flags, a(c), 0, from, 0, size, 0, iova, 0),
  ),
  fc.tuple(ioas, page, bytes).map(
    ([a, iova, size]): Step =>
      (c) =>
        c.call(0x3b86, a(c), iova, 0, size, 0),
  ),
  fc.tuple(ioas, ioas, bytes, page, page).map(
    ([to, from, size, dst, src]): Step =>
      (c) =>
        c.call(0x3b83, 7, to(c), from(c), size, 0, dst, 0, src, 0),
  ),
  fc.tuple(device, parent, bits, fault).map(
    ([a, b, flags, queue]): Step =>
      (c) =>
        c.call(0x3b89, flags, a(c), b(c), 0, 0, 0, 0, 0, 0, queue(c), 0),
  ),
  fc.tuple(ioas, fc.nat(1), fc.nat(1)).map(
    ([a, op, value]): Step =>
      (c) =>
        c.call(0x3b87, 1, op, a(c), value, 0),
  ),
  fc.tuple(ioas, fc.nat(2)).map(
    ([a, op]): Step =>
      (c) =>
        c.call(0x3b88, a(c), op),
  ),
  fc.constant<Step>((c) => c.call(0x3b8e, 0, 0, 0)),
  fc.tuple(device, paging).map(
    ([a, b]): Step =>
      (c) =>
        c.call(0x3b90, 0, 0xdead_beef, a(c), b(c), 0, 0, 0, 0, 0),
  ),
  fc.tuple(viommu, device, fc.nat(3)).map(
    ([a, b, name]): Step =>
      (c) =>
        c.call(0x3b91, a(c), b(c), 0, name, 0),
  ),
  fc.tuple(viommu, fc.integer({ min: 1, max: 3 })).map(
    ([a, depth]): Step =>
      (c) =>
        c.call(0x3b93, 0, a(c), 0xbeef_beef, depth, 0, 0, 0),
  ),
  fc.tuple(viommu, fc.nat(2), page).map(
    ([a, index, iova]): Step =>
      (c) =>
        c.call(0x3b94, 0, a(c), 0xdead_beef, index, 0, iova, 0, 4096, 0),
  ),
  fc.tuple(table, fc.constantFrom(0, 1, 4, 5)).map(
    ([a, flags]): Step =>
      (c) =>
        c.mock(12, a(c), 0, 0, 0, flags),
  ),
  fc.tuple(mock, table).map(
    ([a, to]): Step =>
      (c) =>
        c.mock(10, a(c), to(c)),
  ),
  fc.tuple(fc.constantFrom(18, 19, 20), mock, pasid, table).map(
    ([op, a, number, to]): Step =>
      (c) =>
        c.mock(op, a(c), number, to(c)),
  ),
  fc.tuple(ioas, page, bytes).map(
    ([a, start, size]): Step =>
      (c) =>
        c.mock(1, a(c), start + 0x1_0000, 0, size, 0),
  ),
  fc.tuple(ioas, fc.nat(1)).map(
    ([a, pins]): Step =>
      (c) =>
        c.mock(5, a(c), 0, pins),
  ),
  fc.tuple(fd, page, bytes, fc.nat(1)).map(
    ([a, iova, size, write]): Step =>
      (c) =>
        c.mock(7, a(c), write, 0, iova, 0, size, 0, 0, 0),
  ),
  fc.tuple(fd, fc.nat(3)).map(
    ([a, item]): Step =>
      (c) =>
        c.mock(6, a(c), item),
  ),
  fc.tuple(fd, page, bytes, fc.nat(1), address).map(
    ([a, iova, size, write, at]): Step =>
      (c) =>
        c.mock(8, a(c), iova, 0, size, 0, at, 0, write),
  ),
  fc.tuple(fd, ioas).map(
    ([a, to]): Step =>
      (c) =>
        c.mock(11, a(c), to(c)),
  ),
  fc.tuple(device, pasid, fc.nat(5)).map(
    ([a, number, group]): Step =>
      (c) =>
        c.mock(15, 0, a(c), number, group, 3, 0x1000, 0),
  ),
  fc.integer({ min: 1, max: 8 }).map(
    (number): Step =>
      (c) =>
        c.process.close(number),
  ),
);

function ids(calls: SimulatedCalls): Set<number> {
  return new Set([...calls.context.objects.values()].map((object) => object.id));
}

describe('random calls', () => {
  test('no internal error, new ids are the lowest free ones, and nothing is left at close', () => {
    const quirks = fc.boolean().map((on) => (on ? (Object.keys(QUIRKS) as QuirkName[]) : []));
    let succeeded = 0;
    fc.assert(
      fc.property(fc.array(steps, { minLength: 20, maxLength: 150, size: 'max' }), quirks, (sequence, on) => {
        const calls = new SimulatedCalls(mockBackend, on);
        const { objects } = calls.context;
        calls.call(0x3b81, 0, 0);
        calls.mock(12, 1, 0, 0, 0, 4);
        for (const step of sequence) {
          const before = ids(calls);
          try {
            const result = step(calls);
            if (typeof result === 'object' && result.ret >= 0) succeeded++;
          } catch (error) {
            if (!(error instanceof Unjudged)) throw error;
          }
          const fresh = [...ids(calls)].filter((number) => !before.has(number)).sort((a, b) => a - b);
          for (const number of fresh) {
            for (let below = 1; below < number; below++)
              expect(before.has(below) || fresh.includes(below) || objects.entombed(below)).toBe(true);
          }
        }
        const buffer = calls.process.memory.find(BUFFER)?.backing;
        calls.process.closeAll();
        expect(ids(calls)).toEqual(new Set());
        expect(buffer?.pinners.size).toBe(0);
      }),
      { numRuns: 200 },
    );
    expect(succeeded).toBeGreaterThan(3000);
  });
});
