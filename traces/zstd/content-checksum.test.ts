import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ContentChecksum } from './content-checksum.ts';
import { MIX_BYTES, wideStripes } from './wide-stripes.ts';

const M = 2n ** 64n - 1n;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

function turn(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & M;
}

function round(acc: bigint, input: bigint): bigint {
  return (turn((acc + input * P2) & M, 31n) * P1) & M;
}

/** XXH64 with seed 0 as its specification has it, in 64-bit arithmetic. */
function specified(bytes: Buffer): bigint {
  const lanes = [(P1 + P2) & M, P2, 0n, -P1 & M];
  let at = 0;
  for (; at + 32 <= bytes.length; at += 32) {
    lanes.forEach((lane, i) => {
      lanes[i] = round(lane, bytes.readBigUInt64LE(at + i * 8));
    });
  }
  let acc = P5;
  if (bytes.length >= 32) {
    acc = lanes.reduce((sum, lane, i) => (sum + turn(lane, [1n, 7n, 12n, 18n][i]!)) & M, 0n);
    for (const lane of lanes) acc = ((acc ^ round(0n, lane)) * P1 + P4) & M;
  }
  acc = (acc + BigInt(bytes.length)) & M;
  for (; at + 8 <= bytes.length; at += 8) acc = (turn(acc ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4) & M;
  if (at + 4 <= bytes.length) {
    acc = (turn(acc ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & M), 23n) * P2 + P3) & M;
    at += 4;
  }
  for (; at < bytes.length; at++) acc = (turn(acc ^ ((BigInt(bytes[at]!) * P5) & M), 11n) * P1) & M;
  acc = ((acc ^ (acc >> 33n)) * P2) & M;
  acc = ((acc ^ (acc >> 29n)) * P3) & M;
  return acc ^ (acc >> 32n);
}

describe('XXH64', () => {
  test('known values', () => {
    expect(specified(Buffer.from(''))).toBe(0xef46db3751d8e999n);
    expect(specified(Buffer.from('abc'))).toBe(0x44bc2cf5ad770999n);
  });

  test.each([
    ['in words', null],
    ['in 64-bit arithmetic', wideStripes()],
  ])('the low half, whatever the pieces, %s', (_how, wide) => {
    const pieces = fc.array(
      fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ minLength: 250, maxLength: 700 })),
      {
        maxLength: 8,
      },
    );
    const sum = new ContentChecksum(wide);
    fc.assert(
      fc.property(pieces, (parts) => {
        sum.reset();
        for (const part of parts) sum.update(part);
        expect(BigInt(sum.digest())).toBe(specified(Buffer.concat(parts)) & 0xffffffffn);
      }),
      { numRuns: 300 },
    );
  });

  test('two sums by turns, and pieces that are taken in several steps', () => {
    const bytes = Buffer.from(Uint8Array.from({ length: 2 * MIX_BYTES + 77 }, (_, i) => (i * i) >>> 3));
    const one = new ContentChecksum();
    const other = new ContentChecksum();
    one.update(bytes.subarray(0, 1000));
    other.update(bytes.subarray(1));
    one.update(bytes.subarray(1000));
    expect(BigInt(one.digest())).toBe(specified(bytes) & 0xffffffffn);
    expect(BigInt(other.digest())).toBe(specified(bytes.subarray(1)) & 0xffffffffn);
  });

  test('this runtime has 64-bit arithmetic', () => {
    expect(wideStripes()).not.toBeNull();
  });
});
