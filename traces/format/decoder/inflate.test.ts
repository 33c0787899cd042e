import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from '../../random.ts';
import { ownMachine } from './column-machine.ts';

const machine = ownMachine();
if (machine === undefined) throw new Error('this Node has no WebAssembly');

/** Bytes as columns have them, and others: random, skewed, periodic, runs, slowly rising, of four values. */
const anyBytes = fc
  .record({
    length: fc.integer({ min: 0, max: 6000 }),
    seed: fc.nat(),
    shape: fc.nat(5),
    times: fc.constantFrom(1, 1, 11),
  })
  .map(({ length, seed, shape, times }) => {
    const random = new Random(seed);
    const period = 1 + random.below(40);
    let value = 0;
    const once = Uint8Array.from({ length }, (_, i) => {
      if (shape === 0) return random.below(256);
      if (shape === 1) return (random.below(1000) / 1000) ** 6 * 256;
      if (shape === 2) return i % period;
      if (shape === 3) return random.below(50) === 0 ? (value = random.below(256)) : value;
      if (shape === 4) return (i >>> 3) * 7;
      return random.below(4);
    });
    return Uint8Array.from({ length: length * times }, (_, i) => once[i % length]!);
  });

const anyCompression = fc.record({
  level: fc.nat(9),
  // filtered, Huffman codes alone, runs alone, fixed codes
  strategy: fc.nat(4),
  memLevel: fc.integer({ min: 1, max: 9 }),
});

test('what zlib compressed comes back', () => {
  fc.assert(
    fc.property(anyBytes, anyCompression, (bytes, options) => {
      const inflated = machine.inflate(deflateRawSync(bytes, options), bytes.length);
      expect(inflated !== undefined && Buffer.compare(inflated, bytes) === 0).toBe(true);
    }),
    { numRuns: 400, seed: 3 },
  );
});

function byZlib(packed: Uint8Array, length: number): Uint8Array | undefined {
  try {
    const content = inflateRawSync(packed, { maxOutputLength: Math.max(1, length) });
    return content.length === length ? content : undefined;
  } catch {
    return undefined;
  }
}

test('of damaged streams it takes none that zlib refuses, and reads the others as zlib does', () => {
  let read = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      anyBytes,
      anyCompression,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.oneof(fc.constant(0), fc.nat(30)),
      (bytes, options, changes, begins, cut) => {
        const packed = deflateRawSync(bytes, options);
        const damaged = packed.subarray(0, Math.max(1, packed.length - cut));
        const reach = begins ? Math.min(40, damaged.length) : damaged.length;
        for (const [at, byte] of changes) damaged[at % reach] = byte;
        const expected = byZlib(damaged, bytes.length);
        const found = machine.inflate(damaged, bytes.length);
        if (found === undefined) refused++;
        else read++;
        const same = found === undefined || (expected !== undefined && Buffer.compare(found, expected) === 0);
        expect(same).toBe(true);
      },
    ),
    { numRuns: 1500, seed: 5 },
  );
  expect(read).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(100);
});

test('another length than the content has is refused', () => {
  const packed = deflateRawSync(new Uint8Array(1000).fill(3));
  expect(machine.inflate(packed, 999)).toBeUndefined();
  expect(machine.inflate(packed, 1001)).toBeUndefined();
  expect(machine.inflate(packed, 2 ** 24)).toBeUndefined();
  expect(machine.inflate(packed.subarray(0, packed.length - 1), 1000)).toBeUndefined();
  expect(machine.inflate(packed, 1000)).toEqual(new Uint8Array(1000).fill(3));
});
