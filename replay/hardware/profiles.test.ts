import { describe, expect, test } from 'vitest';
import type { TraceHeader } from '../../traces/header.ts';
import { createMachine } from '../model/create-machine.ts';
import { nearest } from '../../traces/nearest.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { parameterOf } from './profile.ts';
import { HARDWARE, hardwareProfile, withSettings } from './profiles.ts';
import { qemuVtd } from './qemu-vtd.ts';
import { vtdServer } from './vtd-server.ts';

function header(parts: Partial<TraceHeader>): TraceHeader {
  return testHeader({ sources: [{ format: 'ftrace-text', producer: 'Linux 6.12' }], ...parts });
}

describe('hardware registry', () => {
  test('names are unique; every parameter has a source, and a machine can be made of each profile', () => {
    expect(new Set(HARDWARE.map(({ name }) => name)).size).toBe(HARDWARE.length);
    for (const profile of HARDWARE) {
      expect(createMachine(profile).finish(0).iotlb.lookups).toBe(0);
      const names = profile.parameters.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const { source, unit } of profile.parameters) expect(source.length * unit.length).toBeGreaterThan(0);
    }
  });

  test('auto: the cache that recorded the accesses, else a server', () => {
    const log = (producer: string): TraceHeader => header({ sources: [{ format: 'qemu-log', producer }] });
    expect(hardwareProfile('auto', log('QEMU')).name).toBe('qemu-vtd');
    expect(hardwareProfile('auto', log('QEMU 7.2')).name).toBe('qemu-vtd-7.2');
    expect(hardwareProfile('auto', header({ host: { emulated: true, iommu: 'vtd' } })).name).toBe('qemu-vtd');
    expect(hardwareProfile('auto', header({})).name).toBe('vtd-64x4');
    expect(hardwareProfile('qemu-vtd', header({})).name).toBe('qemu-vtd');
  });

  test.each([
    ['smmuv3', 'qemu-smmuv3', 'arm-smmuv3-generic'],
    ['amd', 'qemu-amd', 'amd-generic'],
    ['virtio', 'qemu-virtio', 'qemu-virtio'],
    ['riscv', 'riscv-generic', 'riscv-generic'],
    ['vtd', 'qemu-vtd', 'vtd-64x4'],
  ])('auto for %s: %s where QEMU emulated it, else %s', (iommu, emulated, generic) => {
    const sources = [{ format: 'qemu-log', producer: 'QEMU' }];
    expect(hardwareProfile('auto', header({ host: { iommu }, sources })).name).toBe(emulated);
    expect(hardwareProfile('auto', header({ host: { iommu, emulated: true } })).name).toBe(emulated);
    expect(hardwareProfile('auto', header({ host: { iommu } })).name).toBe(generic);
  });

  test("an SMMUv3's granule is the kernel's page size", () => {
    for (const [pageSize, granule] of [
      [4096, 12],
      [16384, 14],
      [65536, 16],
    ] as const) {
      const profile = hardwareProfile('auto', header({ host: { iommu: 'smmuv3', pageSize } }));
      expect(parameterOf(profile, 'page-table.granule')).toBe(granule);
    }
  });

  test('what nobody published is assumed', () => {
    const unpublished = HARDWARE.flatMap(({ parameters }) => parameters).filter(({ source }) =>
      source.includes('publishes'),
    );
    expect(new Set(unpublished.map(({ standing }) => standing))).toEqual(new Set(['assumed']));
  });

  test('an unknown name suggests the nearest', () => {
    expect(() => hardwareProfile('qemu-vdt', header({}))).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: "did you mean 'qemu-vtd'?" }),
    );
  });
});

describe('settings', () => {
  test('short and whole names, several in one', () => {
    const changed = withSettings(vtdServer, ['sets=128,iotlb.ways=8', 'l1=0']);
    expect(['iotlb.sets', 'iotlb.ways', 'walk-cache.l1'].map((name) => parameterOf(changed, name))).toEqual([
      128, 8, 0,
    ]);
    expect(changed.parameters.find(({ name }) => name === 'iotlb.sets')).toMatchObject({ source: 'set by the user' });
    expect(parameterOf(vtdServer, 'iotlb.sets')).toBe(64);
  });

  test.each([
    ['sats=4', "did you mean 'sets'?"],
    ['iotlb.wayz=4', "did you mean 'iotlb.ways'?"],
    ['sets=0', 'for example --set sets=1'],
    ['sets=2.5', 'for example --set sets=1'],
    ['sets=', 'for example --set sets=1'],
    ['sets', 'for example --set sets=1'],
    ['sets=1048576,ways=1048576', 'sets times ways may be 4194304 at most'],
    ['zzzzzzzz=1', 'write --set name=value'],
  ])('%s is refused with the next step', (setting, hint) => {
    expect(() => withSettings(vtdServer, [setting])).toThrow(expect.objectContaining({ code: 'USAGE', hint }));
  });

  test('a parameter of another organisation is unknown', () => {
    expect(() => withSettings(qemuVtd, ['ways=4'])).toThrow('has no parameter');
  });
});

test('nearest: typing errors and parts, not anything else', () => {
  const words = ['linux-strict', 'linux-lazy'];
  expect(nearest('linux-strcit', words)).toBe('linux-strict');
  expect(nearest('lazy', words)).toBe('linux-lazy');
  expect(nearest('q', words)).toBeUndefined();
  expect(nearest('huge-iopte', words)).toBeUndefined();
});
