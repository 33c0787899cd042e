import { describe, expect, test } from 'vitest';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import { intelCascadeLake } from '../hardware/intel-cascade-lake.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { withSettings } from '../hardware/profiles.ts';
import { createMachine } from './create-machine.ts';
import { ACCESS_RESULT } from './machine.ts';
import type { Machine } from './machine.ts';

const { hit, stale, fault } = ACCESS_RESULT;
const COLD = ['l1=0,l2=0,l3=0,l4=0'];
const CHILD = 5 | (1 << 16);
const PARENT = 1 << 16;

/** Guest-physical pages 0x100 to 0x1ff at 0x8000 up; the guest maps its pages 0 to 7 to 0x100 up, in 4 KiB pages. */
function rig(profile: HardwareProfile, settings: readonly string[], child = CHILD, parent = PARENT): Machine {
  const machine = createMachine(withSettings(profile, settings));
  machine.nest(child, parent);
  machine.attach(0x40, -1, child);
  machine.map(0, parent, 0x10_0000, 0, 0x800_1000, 0, 0x10_0000, 0, 3);
  machine.map(0, child, 0, 0, 0x10_0000, 0, 0x8000, 0, 3);
  return machine;
}

function access(machine: Machine, page: number, time = 1): number {
  return machine.access(time, 0x40, -1, -1, page << 12, 0, 1, 0);
}

const units = [
  ['SMMUv3', armSmmuv3Generic, CHILD, PARENT],
  ['VT-d', intelCascadeLake, 9, 3],
] as const;

describe.each(units)('nested walks of %s', (_, profile, child, parent) => {
  test('4 levels over 4 levels read 24 entries, and the output is that of both', () => {
    const machine = rig(profile, COLD, child, parent);
    expect(access(machine, 3)).toBe(0);
    expect(machine.last).toMatchObject({ translated: true, outLo: 0x8004, order: 0 });
    expect(access(machine, 3)).toBe(hit);
    expect(machine.finish(2)).toMatchObject({ walks: 1, walkReads: 24 });
  });

  test('a cache of second-stage translations saves their walks: four tables and four outputs', () => {
    const machine = rig(profile, [...COLD, 'stage2=16'], child, parent);
    for (const page of [0, 1, 2, 3]) access(machine, page);
    const { walkReads, caches } = machine.finish(2);
    // five second-stage walks at first, then one for each new output
    expect(walkReads).toBe(24 + 3 * (4 + 4));
    expect(caches['stage2']).toMatchObject({ lookups: 20, hits: 12, causes: { compulsory: 8 } });
  });

  test('walk caches of both stages: a pointer that is cached needs no second stage for its table', () => {
    const machine = rig(profile, [], child, parent);
    access(machine, 0);
    const first = machine.finish(1).walkReads;
    // all second-stage walks but the first start at its last pointer or, for a table elsewhere, above
    expect(first).toBeLessThan(24);
    const again = rig(profile, [], child, parent);
    access(again, 0);
    access(again, 1);
    // one first-stage read at the cached pointer, one second-stage read for its output
    expect(again.finish(1).walkReads - first).toBe(2);
  });

  test('what either stage lacks faults', () => {
    const machine = rig(profile, COLD, child, parent);
    machine.map(0, child, 0x9000, 0, 0x70_0000, 0, 0x1000, 0, 3);
    expect([0x8, 0x9].map((page) => access(machine, page))).toEqual([fault, fault]);
    expect(machine.finish(1).walks).toBe(2);
  });

  test('a page that goes in the second stage is exposed in combined entries, and stale until their command', () => {
    const machine = rig(profile, COLD, child, parent);
    access(machine, 0);
    access(machine, 1);
    machine.unmap(10, parent, 0x10_1000, 0, 0x1000, 0, 7);
    expect(machine.exposedPages).toBe(1);
    expect([access(machine, 0, 15), access(machine, 1, 20)]).toEqual([hit, hit | stale]);
    expect(machine.finish(30)).toMatchObject({
      stale: { translations: 1, maxAgeNs: 10 },
      staleFindings: [{ unmapEvent: 7, domain: child }],
      exposure: { endedBy: { open: 1 } },
    });
  });
});

describe('commands of a guest with two stages', () => {
  test('SMMUv3: TLBI_S2_IPA leaves combined entries, TLBI_NH_ALL takes them', () => {
    const machine = rig(armSmmuv3Generic, [...COLD, 'stage2=16']);
    access(machine, 0);
    // of the page's second-stage translation: one entry goes
    expect(machine.command(2, 0x2a, 1, 0x10_0001, 0)).toBe(1);
    expect(access(machine, 0)).toBe(hit);
    expect(machine.command(3, 0x10, 1, 0, 0)).toBe(1);
    expect(access(machine, 0)).toBe(0);
  });

  test("SMMUv3: the guest's own TLBI takes the combined entry of its page", () => {
    const machine = rig(armSmmuv3Generic, COLD);
    access(machine, 0);
    access(machine, 1);
    expect(machine.command(2, 0x12, 1 | (5 << 16), 0x1001, 0)).toBe(1);
    expect([access(machine, 0), access(machine, 1)]).toEqual([hit, 0]);
  });

  test('VT-d: a page command by domain takes all combined entries, one by PASID those of the page', () => {
    const machine = rig(intelCascadeLake, COLD, 9, 3);
    for (const page of [0, 1, 2]) access(machine, page);
    expect(machine.command(2, 0x36 | (9 << 16), 0, 0x1040, 0)).toBe(1);
    expect(machine.command(2, 0xf2 | (9 << 16), 0, 0x70_0040, 0)).toBe(2);
  });
});
