import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Device, NO_PASID } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { objectTrees } from '../object-tree.ts';
import { BUFFER, SimulatedCalls } from '../simulated-calls.ts';
import { HARDWARE } from './backends.ts';
import { reservedOf } from './hardware-backend.ts';
import { ARM_SOFTWARE_MSI, X86_MSI_WINDOW, enforcedRegions, msiRoute, takeover } from './reserved-regions.ts';
import type { ReservedRegion } from './reserved-regions.ts';

const RMRR: ReservedRegion = { start: 0x300_0000n, last: 0x300_ffffn, kind: 'direct' };
const RELAXABLE: ReservedRegion = { ...RMRR, kind: 'direct-relaxable' };
const ITS_PAGE: ReservedRegion = { start: 0x800_0000n, last: 0x800_ffffn, kind: 'direct' };

describe.each(HARDWARE.filter(({ name }) => name !== 'mock'))('reserved regions: $name', ({ create }) => {
  test('an attach reserves them, a detach gives them back', () => {
    const hardware = create();
    const regions = [...hardware.regions, RMRR];
    const edges = regions.flatMap(({ start, last }) => [start, last]).map((edge) => edge & ~0xfffn);
    const near = fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -2, max: 2 }));
    fc.assert(
      fc.property(near, ([edge, pages]) => {
        const calls = new SimulatedCalls(hardware.backend);
        const traits = { ...hardware.device(), reserved: reservedOf(regions) };
        const device = calls.context.objects.add(new Device(calls.context, traits));
        const ioas = calls.call(0x3b81, 0, 0).struct.u32(8);
        const holes = () => calls.context.objects.find(ioas, 'ioas')?.reserved.holes();
        const free = holes();
        const iova = edge + BigInt(pages) * 4096n;
        const map = () =>
          calls.call(0x3b85, 7, ioas, 0, BUFFER, 0, 4096, 0, Number(iova & 0xffff_ffffn), Number(iova >> 32n)).ret;
        const inside = regions.some(({ start, last }) => iova <= last && iova + 4095n >= start);
        expect(device.change(NO_PASID, ioas, 'attach')).toBeGreaterThan(0);
        expect(map()).toBe(inside ? -ERRNO.EINVAL : 0);
        device.detach();
        expect(holes()).toEqual(free);
        if (!inside) return;
        // What was mapped there before keeps the device out, and nothing changes.
        expect(map()).toBe(0);
        expect(device.change(NO_PASID, ioas, 'attach')).toBe(-ERRNO.EADDRINUSE);
        expect(holes()).toEqual(free);
      }),
      { numRuns: 40 },
    );
  });
});

describe('kinds of reserved regions', () => {
  test('a hardware MSI window and a software one exclude each other', () => {
    expect(enforcedRegions([X86_MSI_WINDOW, ARM_SOFTWARE_MSI])).toBe(-ERRNO.EINVAL);
    expect(enforcedRegions([ARM_SOFTWARE_MSI, ARM_SOFTWARE_MSI])).toBe(-ERRNO.EINVAL);
    expect(() => reservedOf([X86_MSI_WINDOW, ARM_SOFTWARE_MSI])).toThrow(RangeError);
  });

  test('relaxable ones bind nobody; firmware’s own keep a device from user space', () => {
    expect(enforcedRegions([RELAXABLE, X86_MSI_WINDOW])).toEqual([{ start: 0xfee0_0000n, last: 0xfeef_ffffn }]);
    expect(takeover([RELAXABLE, X86_MSI_WINDOW])).toBe(0);
    expect(takeover([RMRR])).toBe(-ERRNO.EINVAL);
  });

  test('a page that firmware maps 1:1 in the software window: nobody prepares the mapping', () => {
    expect(msiRoute([X86_MSI_WINDOW, RMRR])).toBe('window');
    expect(msiRoute([ARM_SOFTWARE_MSI, RMRR])).toBe('kernel-page');
    expect(msiRoute([ARM_SOFTWARE_MSI, ITS_PAGE])).toBe('direct-page');
    expect(msiRoute([RMRR])).toBe('none');
  });

  test.each([
    ['vtd', 'window'],
    ['amd', 'window'],
    ['smmuv3', 'kernel-page'],
  ])('the object tree tells how interrupts of a device behind %s go: %s', (name, route) => {
    const hardware = HARDWARE.find((member) => member.name === name)?.create();
    if (hardware === undefined) throw new Error(`no back-end ${name}`);
    const calls = new SimulatedCalls(hardware.backend);
    calls.context.objects.add(new Device(calls.context, hardware.device()));
    calls.context.objects.add(new Device(calls.context, hardware.device([RMRR])));
    const [tree] = objectTrees(calls.machine);
    expect(tree?.objects.map(({ facts }) => facts)).toEqual([{ msi: route }, { msi: route, oneToOne: true }]);
  });
});
