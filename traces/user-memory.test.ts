import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMappings, decodeUserMemory, encodeMappings, encodeUserMemory } from './user-memory.ts';
import type { UserMapping, UserMemory } from './user-memory.ts';

const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const content = fc.uint8Array({ maxLength: 40 });

const item: fc.Arbitrary<UserMemory> = fc
  .record({
    field: fc.string({ maxLength: 20 }),
    addressLo: word,
    addressHi: word,
    lengthLo: word,
    lengthHi: word,
    before: fc.option(content),
    after: fc.oneof(fc.constant(undefined), fc.constant(null), content),
    same: fc.boolean(),
  })
  .map(({ same, ...rest }) => (same ? { ...rest, after: rest.before } : rest));

describe('user memory of a call', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), (items) => {
        expect(decodeUserMemory(encodeUserMemory(items))).toEqual(items);
      }),
    );
  });

  test('what did not change is stored once', () => {
    const before = new Uint8Array(1000);
    const rest = { field: 'data', addressLo: 1, addressHi: 2, lengthLo: 1000, lengthHi: 0, before };
    const once = encodeUserMemory([{ ...rest, after: before }]);
    expect(once.length).toBeLessThan(1050);
    const [read] = decodeUserMemory(once);
    expect(read?.after).toBe(read?.before);
    expect(encodeUserMemory([{ ...rest, after: Uint8Array.from(before) }]).length).toBeGreaterThan(2000);
  });

  test('bytes that were cut or changed give items that lie inside them', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 4 }), fc.nat(200), fc.nat(255), (items, at, value) => {
        const bytes = encodeUserMemory(items);
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        for (const cut of [bytes.subarray(0, at), changed]) {
          const held = decodeUserMemory(cut).reduce(
            (sum, { before, after }) => sum + (before?.length ?? 0) + (after && after !== before ? after.length : 0),
            0,
          );
          expect(held).toBeLessThanOrEqual(cut.length);
        }
      }),
    );
  });
});

test('mappings come back as they were, a rest is left out', () => {
  const mapping: fc.Arbitrary<UserMapping> = fc.record({
    startLo: word,
    startHi: word,
    endLo: word,
    endHi: word,
    offsetLo: word,
    offsetHi: word,
    prot: word,
    flags: word,
  });
  fc.assert(
    fc.property(fc.array(mapping, { maxLength: 6 }), fc.nat(31), (mappings, more) => {
      const bytes = encodeMappings(mappings);
      expect(decodeMappings(bytes)).toEqual(mappings);
      const longer = new Uint8Array(bytes.length + more);
      longer.set(bytes);
      expect(decodeMappings(longer)).toEqual(mappings);
    }),
  );
});
