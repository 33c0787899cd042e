import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mockBackend } from './mock/mock-backend.ts';
import { BUFFER, BUFFER_BYTES, SimulatedCalls } from './simulated-calls.ts';
import { Unjudged } from './unjudged.ts';

/** Lengths and addresses where sums wrap, signs turn and doubles are no longer exact. */
const EDGES = (
  '0 1 400 800 fff 1000 1001 3000 100000 1000000 1000800 1001000 7fffffff 80000000 ffffffff 3ffffff000 10000000000 ' +
  '7ffffffff000 20000000000001 7fffffffffffffff 8000000000000000 ffffffffffff0400 fffffffffffff000 fffffffffffff800 ' +
  'fffffffffffffffe ffffffffffffffff'
)
  .split(' ')
  .map((hex) => BigInt(`0x${hex}`));
const IN_BUFFER = [0, 0x400, 0x800, 0x3000, BUFFER_BYTES - 0x800].map((at) => BigInt(BUFFER + at));

const word = (value: number): fc.Arbitrary<number[]> => fc.constant([value]);
const zero = fc.oneof({ weight: 20, arbitrary: word(0) }, word(1));
const split = (value: bigint): number[] => [Number(value & 0xffff_ffffn), Number(value >> 32n)];
const edge = fc.constantFrom(...EDGES).map(split);
const short = fc.constantFrom(...EDGES.slice(1, 9)).map(split);
const bytes = fc.oneof({ weight: 3, arbitrary: short }, edge);
const address = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...IN_BUFFER).map(split) }, edge);
const iova = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...EDGES.slice(9, 12)).map(split) }, edge);
const bits = (mask: number): fc.Arbitrary<number[]> =>
  fc.oneof({ weight: 15, arbitrary: fc.nat(mask) }, fc.constantFrom(0x1_0000, 0x8000_0000)).map((value) => [value]);
const id = fc.integer({ min: 0, max: 9 }).map((value) => [value]);
/** Descriptors of accesses, mostly. */
const access = fc.constantFrom(1, 2, 2, 5).map((value) => [value]);
const root = fc.integer({ min: 1, max: 3 }).map((value) => [value]);

type Fields = readonly fc.Arbitrary<number[]>[];

/** Requests by number with the fields behind their size; operations of IOMMU_TEST_CMD with theirs behind its id. */
const CALLS: readonly (readonly [number, ...Fields])[] = [
  [0x3b80, fc.integer({ min: 0, max: 99 }).map((value) => [value])],
  [0x3b81, zero, word(0)],
  [0x3b82, root, bits(3), zero, address],
  [0x3b83, bits(7), root, root, bytes, iova, iova],
  [0x3b84, root, bits(3), zero, address, edge],
  [0x3b85, bits(7), root, zero, address, bytes, iova],
  [0x3b86, root, iova, bytes],
  [0x3b87, bits(1), bits(1), root, fc.constantFrom(split(0n), split(1n), split(2n))],
  [0x3b88, root, fc.constantFrom([0], [1], [1], [2])],
  [0x3b8c, id, bits(1), zero, iova, bytes, fc.constantFrom(split(0x800n), split(0x1000n), split(3n)), address],
  [0x3b8f, bits(7), root, id, edge, bytes, iova],
  [0x3b92, zero],
  [0x3b71, bits(3), address, iova, bytes],
  [0x3b72, fc.constantFrom([0], [0], [0], [0], [0], [0], [2]), iova, bytes],
];
const OPERATIONS: readonly (readonly [number, fc.Arbitrary<number[]>, ...Fields])[] = [
  [1, root, iova, bytes],
  [2, root],
  [3, id, iova, bytes, address],
  [4, id, bytes, address, bits(1)],
  [5, root, word(0), bits(1)],
  [6, access, bits(1)],
  [7, access, bits(1), word(0), iova, bytes, address],
  [8, access, iova, bytes, address, bits(5)],
  [10, id, id],
  [11, access, root],
  [13, id, word(0), word(0), iova, bytes, fc.constant(split(0x800n)), address],
  [22, id, fc.constantFrom([0x1000], [0x1001], [0xffff_ffff]), word(0)],
  [23, id, id, bits(1)],
];

type Step = (calls: SimulatedCalls) => number;

const step: fc.Arbitrary<Step> = fc.oneof(
  ...CALLS.map(([request, ...fields]) =>
    fc.tuple(...fields).map(
      (values): Step =>
        (calls) =>
          calls.call(request, ...values.flat()).ret,
    ),
  ),
  ...OPERATIONS.map(([op, who, ...fields]) =>
    fc.tuple(who, ...fields).map(
      ([first, ...values]): Step =>
        (calls) =>
          calls.mock(op, first[0] ?? 0, ...values.flat()).ret,
    ),
  ),
);

test('whatever the arguments are, a call ends with a result, and all pages are given back', () => {
  let done = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 120, size: 'max' }), (steps) => {
      const calls = new SimulatedCalls(mockBackend);
      for (let made = 0; made < 3; made++) calls.call(0x3b81, 0, 0);
      calls.mock(2, 1);
      calls.mock(5, 2, 0, 1);
      calls.mock(5, 3, 0, 0);
      for (const each of steps) {
        try {
          if (each(calls) >= 0) done++;
        } catch (error) {
          if (!(error instanceof Unjudged)) throw error;
        }
      }
      calls.process.closeAll();
      expect(calls.process.memory.find(BUFFER)?.backing.pinners.size).toBe(0);
    }),
    { numRuns: 300 },
  );
  expect(done).toBeGreaterThan(4000);
});
