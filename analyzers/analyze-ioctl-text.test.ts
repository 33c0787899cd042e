import { expect, test } from 'vitest';
import type { IoctlAnalysis } from './analyze-ioctl.ts';
import { ioctlAnalysisText } from './analyze-ioctl-text.ts';

const NOTHING: IoctlAnalysis = {
  calls: 0,
  failed: 0,
  unknown: 0,
  processes: 0,
  durationNs: 0,
  kernelNs: null,
  requests: [],
  batches: [],
  containers: null,
  addresses: null,
  pasids: [],
};

test('windows without addresses: by which call, how long, what failed inside; an iommufd has none', () => {
  const opened = { event: 5, atNs: 500, name: 'VFIO_IOMMU_UNMAP_DMA' };
  const group = { event: 7, atNs: 700, name: 'VFIO_GROUP_SET_CONTAINER', result: 'EBUSY', why: 'no group can come' };
  const window = { opened, closed: null, how: 'still open', durationNs: 1500, mappings: 2, bytes: 8192 } as const;
  const text = ioctlAnalysisText('a.iorr', {
    ...NOTHING,
    addresses: {
      windows: [{ ...window, inside: [group] }],
      refused: 1,
      changes: { calls: 3, done: 2, windows: 0 },
    },
  });
  expect(text).toContain('1 window in which mappings have no address');
  expect(text).toMatch(/VFIO_IOMMU_UNMAP_DMA \(event 5\) +- +still open +1\.50.µs +2 +8\.00.KiB +1/);
  expect(text).toContain('VFIO_GROUP_SET_CONTAINER (event 7) returned EBUSY: no group can come');
  expect(text).toContain('1 call with VADDR on an iommufd');
  expect(text).toContain('3 calls of IOMMU_IOAS_CHANGE_PROCESS, 2 done: no window');
});

test('what a guest finds of PASID, and where a VMM can insert it', () => {
  const device = { file: '/dev/vfio/devices/vfio0', pci: '8086:10d3', bits: 20, insertable: 0xff8 };
  const text = ioctlAnalysisText('a.iorr', {
    ...NOTHING,
    pasids: [
      { ...device, guest: { kind: 'hidden', bits: 20, why: 'no quirk' } },
      { ...device, guest: { kind: 'own', bits: 20, offset: 0x200 }, insertable: null },
      { file: 'x', pci: null, bits: null, guest: null, insertable: null },
    ],
  });
  expect(text).toMatch(/vfio0 +8086:10d3 +20 +can't find it: no quirk +0xff8/);
  expect(text).toMatch(/finds it at 0x200 +-/);
  expect(text).toMatch(/x +\? +\? +unknown: config space was not read/);
});
