import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Device, NO_PASID } from './device.ts';
import { ERRNO } from './errno.ts';
import type { Ioas } from './ioas.ts';
import { mockBackend } from './mock/mock-backend.ts';
import { mockDevice } from './mock/mock-backend.ts';
import { ARM_SOFTWARE_MSI, X86_MSI, enforcedRegions, nestedInterruptsWork, ownable } from './reserved-regions.ts';
import type { ReservedRegion } from './reserved-regions.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';

const RMRR: ReservedRegion = { start: 0x300_0000n, last: 0x300_ffffn, kind: 'direct' };

/** An IOAS of the mock driver with a device that has these regions, not yet attached. */
function setUp(regions: readonly ReservedRegion[]) {
  const calls = new SimulatedCalls(mockBackend);
  const id = calls.call(0x3b81, 0, 0).struct.u32(8);
  const enforced = enforcedRegions(regions);
  if (typeof enforced === 'number') throw new Error(`refused: ${enforced}`);
  const { traits, data } = mockDevice(0);
  const { context } = calls;
  const device = context.objects.add(new Device(context, { ...traits, reserved: enforced.reserved }, undefined, data));
  const map = (iova: number): number => calls.call(0x3b85, 7, id, 0, BUFFER, 0, 4096, 0, iova, 0).ret;
  const attach = (): number => device.change(NO_PASID, id, 'attach');
  return { device, ioas: context.objects.find(id, 'ioas') as Ioas, map, attach };
}

describe('reserved regions', () => {
  test('an attach reserves them, a detach gives them back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0x1000, max: 0x7fff }), (page) => {
        const iova = page * 4096;
        const inside = BigInt(iova) <= RMRR.last && BigInt(iova) + 4095n >= RMRR.start;
        const { device, ioas, map, attach } = setUp([RMRR, X86_MSI]);
        const before = ioas.reserved.holes();
        expect(attach()).toBeGreaterThan(0);
        expect(map(iova)).toBe(inside ? -ERRNO.EINVAL : 0);
        device.detach();
        expect(ioas.reserved.holes()).toEqual(before);
      }),
      { numRuns: 50 },
    );
  });

  test('what is mapped in one keeps the device out, and nothing changes', () => {
    const { ioas, map, attach } = setUp([RMRR]);
    expect(map(Number(RMRR.start))).toBe(0);
    const before = ioas.reserved.holes();
    expect(attach()).toBe(-ERRNO.EADDRINUSE);
    expect(ioas.reserved.holes()).toEqual(before);
    expect(ioas.hwpts).toEqual([]);
  });

  test('interrupt windows: hardware on x86, software on Arm, never both', () => {
    expect(enforcedRegions([X86_MSI])).toEqual({
      reserved: [{ start: 0xfee0_0000n, last: 0xfeef_ffffn }],
      softwareMsi: undefined,
    });
    expect(enforcedRegions([ARM_SOFTWARE_MSI])).toMatchObject({ softwareMsi: 0x800_0000n });
    expect(enforcedRegions([X86_MSI, ARM_SOFTWARE_MSI])).toBe(-ERRNO.EINVAL);
    expect(enforcedRegions([{ ...RMRR, kind: 'directRelaxable' }])).toEqual({ reserved: [], softwareMsi: undefined });
  });

  test('memory of firmware keeps a device from user space; a guest’s interrupt page stands in its own way', () => {
    expect(ownable([RMRR, X86_MSI])).toBe(false);
    expect(ownable([{ ...RMRR, kind: 'directRelaxable' }, X86_MSI])).toBe(true);
    const page: ReservedRegion = { start: 0x800_0000n, last: 0x800_ffffn, kind: 'direct' };
    expect(nestedInterruptsWork([ARM_SOFTWARE_MSI, page])).toBe(false);
    expect(nestedInterruptsWork([ARM_SOFTWARE_MSI, RMRR])).toBe(true);
  });
});
