import { describe, expect, test } from 'vitest';
import type { TraceHeader } from '../../traces/header.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { Context } from '../model/iommufd/context.ts';
import { Device } from '../model/iommufd/device.ts';
import { HWPT_FLAG } from '../model/iommufd/hwpt.ts';
import { Machine } from '../model/iommufd/machine.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { UNKNOWN_HARDWARE } from '../model/iommufd/vfio/hardware.ts';
import type { RecordedHardware } from '../model/iommufd/vfio/hardware.ts';
import { chooseDriver } from './chosen-hardware.ts';
import type { ChosenDriver } from './chosen-hardware.ts';
import type { HardwareFact } from './recorded-hardware.ts';

const HEADER: TraceHeader = testHeader();
const FACTS: readonly (readonly [number, HardwareFact])[] = [
  [1, 'device'],
  [2, 'info'],
  [3, 'nests'],
  [4, 'driver'],
];

function choose(name: string, hardware: Partial<RecordedHardware>, host: TraceHeader['host'] = {}) {
  const finding = { hardware: { ...UNKNOWN_HARDWARE, ...hardware }, events: new Map(FACTS) };
  return chooseDriver(name, finding, { ...HEADER, host });
}

function alloc({ backend, traits }: ChosenDriver, flags: number): number {
  const device = new Device(new Context(new Machine(backend)), traits);
  const made = backend.allocPaging(device, flags, { type: 0, length: 0, address: 0n, read: () => -ERRNO.EINVAL });
  return typeof made === 'number' ? made : 0;
}

describe('driver under VFIO devices', () => {
  test('auto: by GET_HW_INFO, else by the header; what neither tells stays as recorded', () => {
    expect(choose('auto', { infoType: 4 }, { iommu: 'vtd' })?.name).toBe('amd');
    expect(choose('auto', {}, { iommu: 'smmuv3' })?.name).toBe('smmuv3');
    expect(choose('auto', {}, { iommu: 'riscv' })).toBeUndefined();
    expect(choose('auto', {})).toBeUndefined();
    expect(choose('as-recorded', { infoType: 1 })).toBeUndefined();
    expect(chooseDriver('vtd', undefined, HEADER)).toBeUndefined();
    expect(() => choose('vdt', {})).toThrow('no driver vdt');
  });

  test('reserved regions are the driver’s', () => {
    const holes = (name: string) => choose(name, {})?.hardware.usable?.map(({ start, last }) => [start, last]);
    expect(holes('vtd')?.[0]).toEqual([0n, 0xfedf_ffffn]);
    expect(holes('vtd')?.[1]?.[0]).toBe(0xfef0_0000n);
    expect(holes('amd')).toEqual([
      [0n, 0xfedf_ffffn],
      [0xfef0_0000n, 0xfc_ffff_ffffn],
      [0x100_0000_0000n, 0xffff_ffff_ffff_ffffn],
    ]);
    expect(holes('smmuv3')?.[0]).toEqual([0n, 0x7ff_ffffn]);
  });

  test('registers of the recording decide; they are then input, as is what only the device knows', () => {
    const info = new StructView(new Uint8Array(24));
    info.setU64(8, 0x81d2_008c_222f_0606n);
    const recorded = { infoType: 1, capabilities: 9, pasidBits: 0, info: info.bytes };
    const plain = choose('auto', recorded);
    if (plain === undefined) throw new Error('no driver');
    // No scalable mode: no dirty bits, no nesting.
    expect([alloc(plain, HWPT_FLAG.nestParent), alloc(plain, HWPT_FLAG.dirty)]).toEqual([
      -ERRNO.EOPNOTSUPP,
      -ERRNO.EOPNOTSUPP,
    ]);
    expect([...plain.events]).toEqual([1, 2]);
    info.setU64(16, 0x1_ed9a_24f0_0f4fn);
    const scalable = choose('auto', recorded);
    expect(scalable && [alloc(scalable, HWPT_FLAG.nestParent), alloc(scalable, HWPT_FLAG.dirty)]).toEqual([0, 0]);
    expect(scalable?.traits).toMatchObject({ dirtyTracking: true, pasidBits: 0, capabilities: 8 });
    // The same registers without scalable mode, which only the lack of dirty bits tells.
    const off = choose('auto', { ...recorded, capabilities: 8 });
    expect(off && alloc(off, HWPT_FLAG.nestParent)).toBe(-ERRNO.EOPNOTSUPP);
  });

  test('without registers the recording takes away what it shows not to be there', () => {
    for (const [infoType, name] of [
      [1, 'vtd'],
      [2, 'smmuv3'],
      [4, 'amd'],
    ] as const) {
      const whole = choose(name, { infoType, capabilities: 1 });
      const poor = choose(name, { infoType, capabilities: 0, nests: false, pasidBits: 5 });
      if (whole === undefined || poor === undefined) throw new Error('no driver');
      expect([alloc(whole, HWPT_FLAG.nestParent), whole.traits.dirtyTracking]).toEqual([0, true]);
      expect([alloc(poor, HWPT_FLAG.nestParent), poor.traits.dirtyTracking]).toEqual([-ERRNO.EOPNOTSUPP, false]);
      expect([poor.traits.pasidBits, [...poor.events]]).toEqual([5, [1, 2, 3]]);
    }
  });

  test('another driver than the recorded one answers by its own rules, and is judged by them', () => {
    const other = choose('amd', { infoType: 1, capabilities: 0, nests: false, pasidBits: 0 });
    expect([other?.traits.dirtyTracking, [...(other?.events ?? [])]]).toEqual([true, [1]]);
  });
});
