import { describe, expect, test } from 'vitest';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import { amdGeneric } from '../hardware/amd-generic.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { withSettings } from '../hardware/profiles.ts';
import { qemuAmd } from '../hardware/qemu-amd.ts';
import { qemuSmmuv3 } from '../hardware/qemu-smmuv3.ts';
import { qemuVirtio } from '../hardware/qemu-virtio.ts';
import { riscvGeneric } from '../hardware/riscv-generic.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { ACCESS_RESULT } from './machine.ts';
import type { Machine } from './machine.ts';
import { createMachine } from './create-machine.ts';

const { hit, reset, stale, fault, device } = ACCESS_RESULT;

/** Device 0x40 in domain 5, whose first 64 KiB and 2 MiB from 2 MiB on are mapped. */
function rig(profile: HardwareProfile, settings: readonly string[] = [], domain = 5): Machine {
  const machine = createMachine(withSettings(profile, settings));
  machine.attach(0x40, -1, domain);
  machine.map(0, domain, 0, 0, 0x10_0000, 0, 0x1_0000, 0, 3);
  machine.map(0, domain, 0x20_0000, 0, 0x4000_0000, 0, 0x20_0000, 0, 3);
  return machine;
}

function access(machine: Machine, page: number, rid = 0x40, time = 1): number {
  return machine.access(time, rid, -1, -1, page << 12, 0, 1, 0);
}

describe('SMMUv3', () => {
  test('requesters of one ASID share entries; those of another, or of another VMID, do not', () => {
    for (const profile of [qemuSmmuv3, armSmmuv3Generic]) {
      const machine = rig(profile);
      machine.attach(0x48, -1, 5);
      machine.attach(0x50, -1, 6);
      machine.attach(0x58, -1, 5 | (1 << 16));
      for (const domain of [6, 5 | (1 << 16)]) machine.map(0, domain, 0, 0, 0, 0, 0x1000, 0, 3);
      expect([0x40, 0x48, 0x50, 0x58, 0x50].map((rid) => access(machine, 0, rid))).toEqual([0, hit, 0, 0, hit]);
      // NH_ASID 5 of VMID 0
      expect(machine.command(2, 0x11, 5 << 16, 0, 0)).toBeGreaterThan(0);
      expect([0x48, 0x50, 0x58].map((rid) => access(machine, 0, rid))).toEqual([0, hit, hit]);
    }
  });

  test('an SSID has its own CD and shares entries where the CD names the same ASID', () => {
    const machine = rig(armSmmuv3Generic);
    expect(machine.access(1, 0x40, 3, 5, 0, 0, 1, 0)).toBe(0);
    expect(access(machine, 0)).toBe(hit);
    expect(machine.finish(2).caches).toMatchObject({ context: { misses: 1 }, pasid: { misses: 2, lookups: 2 } });
  });

  test("in QEMU's a command with a level hint drops the entry of that level alone, else all that hold the page", () => {
    const machine = rig(qemuSmmuv3);
    // a page of its own, then a block over it without a command between: both are cached
    machine.map(1, 5, 0x40_0000, 0, 0x8000_0000, 0, 0x1000, 0, 3);
    access(machine, 0x400);
    machine.unmap(2, 5, 0x40_0000, 0, 0x1000, 0, -1);
    machine.map(2, 5, 0x40_0000, 0, 0x8000_0000, 0, 0x20_0000, 0, 3);
    access(machine, 0x401);
    expect(machine.entries.count).toBe(2);
    // TLBI_NH_VA of one page by range and level 3: first the page alone, then, where no such entry is, what holds it
    const command = (): number => machine.command(3, 0x12, 5 << 16, 0x40_0000 | 0x701, 0);
    expect(command()).toBe(1);
    expect(access(machine, 0x400)).toBe(hit);
    expect(command()).toBe(1);
    expect(access(machine, 0x400)).toBe(0);
    // other hardware drops both at once
    const other = rig(armSmmuv3Generic);
    other.map(1, 5, 0x40_0000, 0, 0x8000_0000, 0, 0x1000, 0, 3);
    access(other, 0x400);
    other.unmap(2, 5, 0x40_0000, 0, 0x1000, 0, -1);
    other.map(2, 5, 0x40_0000, 0, 0x8000_0000, 0, 0x20_0000, 0, 3);
    access(other, 0x401);
    expect(other.command(3, 0x12, 5 << 16, 0x40_0000 | 0x701, 0)).toBe(2);
  });

  test("QEMU's is emptied by the insertion that finds it full", () => {
    const machine = rig(qemuSmmuv3, ['capacity=3']);
    expect([0, 1, 2, 3, 0, 3].map((page) => access(machine, page))).toEqual([0, 0, 0, reset, 0, hit]);
  });

  test('a granule of 64 KiB is one entry, and so is a block of 512 MiB', () => {
    const machine = createMachine(withSettings(armSmmuv3Generic, ['granule=16']));
    machine.attach(0x40, -1, 5);
    machine.map(0, 5, 0, 0, 0x10_0000, 0, 0x1_0000, 0, 3);
    machine.map(0, 5, 0x2000_0000, 0, 0x4000_0000, 0, 0x2000_0000, 0, 3);
    expect([0, 15, 0x2_0000, 0x3_ffff].map((page) => access(machine, page))).toEqual([0, hit, 0, hit]);
    expect([...machine.entries.orders.subarray(0, machine.entries.orderCount)]).toEqual([4, 17]);
    expect(machine.finish(2)).toMatchObject({ walks: 2, walkReads: 3 + 1 });
  });
});

describe('AMD', () => {
  test('a leaf of any power of two is one entry', () => {
    const machine = rig(amdGeneric);
    expect([0, 15, 0x200, 0x3ff].map((page) => access(machine, page))).toEqual([0, hit, 0, hit]);
    // INVALIDATE_IOMMU_PAGES of page 3 drops the 64 KiB that hold it
    expect(machine.command(2, 0, (3 << 28) | 5, 3 << 12, 0)).toBe(1);
    expect([15, 0x200].map((page) => access(machine, page))).toEqual([0, hit]);
  });

  test("QEMU's caches pages of 4 KiB, and drops a domain for any of them", () => {
    const machine = rig(qemuAmd);
    expect([0, 15, 0x200, 0x201, 0x201].map((page) => access(machine, page))).toEqual([0, 0, 0, 0, hit]);
    expect(machine.last.slot).toBeGreaterThanOrEqual(0);
    expect(machine.command(2, 0, (3 << 28) | 5, 3 << 12, 0)).toBe(4);
    for (const page of [0, 1]) access(machine, page);
    // the device-TLB command of one page, and of all
    expect(machine.command(3, 0x40, (4 << 28) | 0, 0x1000, 0)).toBe(1);
    expect(machine.command(3, 0x40, (4 << 28) | 0, 0x1001, 0)).toBe(1);
  });
});

test('RISC-V: host address spaces by PSCID, guests by GSCID', () => {
  const machine = rig(riscvGeneric);
  machine.attach(0x48, -1, 5 | (1 << 16));
  machine.map(0, 5 | (1 << 16), 0, 0, 0, 0, 0x1000, 0, 3);
  expect([access(machine, 0), access(machine, 0, 0x48)]).toEqual([0, 0]);
  machine.command(2, 1 | (5 << 12), 1, 0, 0);
  expect([access(machine, 0), access(machine, 0, 0x48)]).toEqual([0, hit]);
});

test('virtio: nothing is cached, every access walks', () => {
  const machine = rig(qemuVirtio);
  expect([0, 0, 0x900].map((page) => access(machine, page))).toEqual([0, 0, fault]);
  expect(machine.command(2, 4, 5, 0, 0, 0xffff, 0)).toBe(0);
  machine.unmap(2, 5, 0, 0, 0x1_0000, 0, -1);
  expect(access(machine, 0)).toBe(fault);
  const { iotlb, exposure, errors } = machine.finish(3);
  expect(iotlb).toMatchObject({ lookups: 4, hits: 0, causes: { compulsory: 2, capacity: 2 } });
  expect(exposure.pages).toBe(0);
  expect(errors).toEqual([]);
});

describe('devices with a cache of their own', () => {
  const ats = ['device-tlb.entries=4'];

  test('what it holds is not asked of the unit; a command for the domain does not reach it, one for the device does', () => {
    const machine = rig(vtdServer, ats);
    machine.enableDeviceTlb(0x40);
    expect([access(machine, 0), access(machine, 0)]).toEqual([0, hit | device]);
    expect(machine.lookups).toBe(1);
    machine.unmap(10, 5, 0, 0, 0x1000, 0, 77);
    // IOTLB, whole domain, then the device TLB
    expect(machine.command(20, 0xe2 | (5 << 16), 0, 0, 0)).toBeGreaterThan(0);
    expect(access(machine, 0, 0x40, 30)).toBe(hit | device | stale);
    expect(machine.command(40, 3, 0x40, 0, 0)).toBe(1);
    expect(access(machine, 0, 0x40, 50)).toBe(fault);
    const counts = machine.finish(60);
    expect(counts.stale).toEqual({ translations: 1, maxAgeNs: 20 });
    expect(counts.staleFindings).toMatchObject([{ cache: 'atc', rid: 0x40, unmapEvent: 77 }]);
    expect(counts.exposure).toMatchObject({ pages: 1, ns: { max: 10 } });
    expect(counts.deviceExposure).toMatchObject({ pages: 1, ns: { max: 30 }, endedBy: { command: 1 } });
    expect(counts.caches['atc']).toMatchObject({ lookups: 4, hits: 2, misses: 2 });
  });

  test('other devices have none, and those of an SMMU are known by their first command', () => {
    const machine = rig(armSmmuv3Generic, ats);
    machine.attach(0x48, -1, 5);
    expect([access(machine, 0), access(machine, 0)]).toEqual([0, hit]);
    machine.command(2, 0x40, 0x40, 52, 0);
    expect([0x40, 0x40, 0x48].map((rid) => access(machine, 0, rid))).toEqual([hit, hit | device, hit]);
    // TLBI of everything leaves it, ATC_INV does not
    machine.command(3, 0x30, 0, 0, 0);
    expect(access(machine, 0)).toBe(hit | device);
    machine.command(4, 0x40, 0x40, 52, 0);
    expect(access(machine, 0)).toBe(0);
  });

  test('entries that were asked for with a PASID go by it', () => {
    const machine = rig(vtdServer, ats);
    machine.enableDeviceTlb(0x40);
    const ask = (pasid: number): number => machine.access(1, 0x40, pasid, 5, 0, 0, 1, 0);
    for (const pasid of [-1, 7, 8]) ask(pasid);
    // PASID-based device TLB of PASID 7
    expect(machine.command(2, 8 | (0x40 << 16), 7, 0, 0)).toBe(1);
    expect([-1, 7, 8].map((pasid) => ask(pasid) & device)).toEqual([device, 0, device]);
  });
});

test('refused commands are counted by what was wrong and drop nothing', () => {
  const machine = rig(vtdServer);
  access(machine, 0);
  for (const w0 of [0xf, 0xc2, 0xc2]) expect(machine.command(2, w0, 0, 0, 0)).toBe(-1);
  expect(access(machine, 0)).toBe(hit);
  const { errors, malformed } = machine.finish(3);
  expect(malformed).toBe(3);
  expect(errors).toEqual([
    { error: 'IQE', what: 'undefined command', count: 1 },
    { error: 'IQE', what: 'undefined granularity', count: 2 },
  ]);
});
