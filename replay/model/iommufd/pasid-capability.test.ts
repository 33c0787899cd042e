import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guestPasid, pasidBitsOf } from './pasid-capability.ts';
import type { PciFunction } from './pasid-capability.ts';

const PASID = { id: 0x1b, offset: 0x180, bytes: 8 };
const physical: PciFunction = { vendor: 0x8086, device: 1, capabilities: [PASID], pasidBits: 20 };
const virtual: PciFunction = {
  vendor: 0x8086,
  device: 2,
  physical,
  capabilities: [{ id: 0x0f, offset: 0x100, bytes: 8 }],
  used: [{ offset: 0x200, bytes: 0x100 }],
};

describe('PASID capability', () => {
  test('a physical function has its own; a virtual one derives it and does not show it', () => {
    expect(guestPasid(physical, [])).toEqual({ kind: 'own', bits: 20, offset: 0x180 });
    expect(pasidBitsOf(virtual)).toBe(20);
    expect(guestPasid(virtual, [])).toMatchObject({ kind: 'hidden', bits: 20 });
    expect(guestPasid({ ...virtual, physical: { ...physical, capabilities: [] } }, [])).toEqual({ kind: 'none' });
  });

  test('a VMM inserts one only by its list, and only where config space is free', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x1004 }), (offset) => {
        const found = guestPasid(virtual, [{ vendor: 0x8086, device: 2, offset }]);
        const inside = offset >= 0x100 && offset <= 0xff8 && offset % 4 === 0;
        const free = offset >= 0x300 || (offset >= 0x108 && offset <= 0x1f8);
        expect(found.kind).toBe(inside && free ? 'inserted' : 'hidden');
      }),
    );
    expect(guestPasid(virtual, [{ vendor: 0x8086, device: 3, offset: 0x400 }]).kind).toBe('hidden');
  });
});
