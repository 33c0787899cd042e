import { encode } from '@msgpack/msgpack';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_DEPTH } from './limits.ts';
import { isBoundedPayload } from './payload-check.ts';

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.string({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 40 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
})).value;

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

describe('isBoundedPayload', () => {
  test('takes whatever an encoder writes, and nothing that is cut or followed by more', () => {
    fc.assert(
      fc.property(plain, fc.nat(), (value, cut) => {
        const bytes = encode(value);
        expect(isBoundedPayload(bytes)).toBe(true);
        expect(isBoundedPayload(bytes.subarray(0, cut % bytes.length))).toBe(false);
        expect(isBoundedPayload(Uint8Array.of(...bytes, 0))).toBe(false);
      }),
    );
  });

  test('large containers of each head', () => {
    for (const length of [15, 16, 0xffff, 0x10000]) {
      expect(isBoundedPayload(encode(Array.from({ length }, () => 1)))).toBe(true);
      expect(isBoundedPayload(encode('x'.repeat(length)))).toBe(true);
      expect(isBoundedPayload(encode(new Uint8Array(length)))).toBe(true);
    }
    expect(isBoundedPayload(encode(Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [i, i]))))).toBe(true);
  });

  test('refuses nested declarations of more than there is', () => {
    const bomb = new Uint8Array(300);
    for (let at = 0; at < bomb.length; at += 5) bomb.set([0xdd, 0x00, 0x3f, 0xff, 0xff], at);
    expect(isBoundedPayload(bomb)).toBe(false);
  });

  test('refuses nesting that would overflow the stack of whoever walks it', () => {
    expect(isBoundedPayload(encode(nested(MAX_DEPTH)))).toBe(true);
    expect(isBoundedPayload(encode(nested(MAX_DEPTH + 1), { maxDepth: MAX_DEPTH + 2 }))).toBe(false);
  });

  test('refuses extension types and the one byte that means nothing', () => {
    expect(isBoundedPayload(encode(new Date(0)))).toBe(false);
    expect(isBoundedPayload(Uint8Array.of(0xc1))).toBe(false);
    expect(isBoundedPayload(new Uint8Array(0))).toBe(false);
  });
});
