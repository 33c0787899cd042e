import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from '../random.ts';
import { estimateDeflated } from './size-estimate.ts';

const random = new Random(5);
const N = 20_000;
const bytesOf = (make: (i: number) => number): Uint8Array => Uint8Array.from({ length: N }, (_, i) => make(i));

test.each([
  ['noise', bytesOf(() => random.below(256))],
  ['few values', bytesOf(() => random.below(5))],
  ['mostly one value', bytesOf(() => (random.below(30) === 0 ? random.below(256) : 0))],
  ['words from a list', bytesOf((i) => (((i >>> 3) * 7919) % 61) ^ (i & 7))],
])('%s: about what deflate makes of it', (_, bytes) => {
  const actual = deflateRawSync(bytes, { level: 6, memLevel: 9 }).length;
  const estimate = estimateDeflated(bytes);
  expect(estimate / actual).toBeGreaterThan(0.75);
  expect(estimate / actual).toBeLessThan(1.35);
});

test('the same bytes always get the same estimate, whatever was estimated before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.uint8Array({ maxLength: 600 }), (bytes, others) => {
      const first = estimateDeflated(bytes);
      estimateDeflated(others);
      expect(estimateDeflated(bytes)).toBe(first);
      expect(first).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 200 },
  );
});
