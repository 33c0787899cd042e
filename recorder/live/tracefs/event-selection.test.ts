import { describe, expect, test } from 'vitest';
import { fakeSystem } from '../testing/fake-system.ts';
import { selectEvents } from './event-selection.ts';

const EVENTS = [
  'iommu/map',
  'iommu/unmap',
  'dma/dma_map_phys',
  'dma/dma_sync_single_for_cpu',
  'syscalls/sys_enter_ioctl',
  'syscalls/sys_exit_ioctl',
  'syscalls/sys_enter_read',
  'raw_syscalls/sys_enter',
  'raw_syscalls/sys_exit',
];
const SYSTEM = fakeSystem({
  files: {
    ...Object.fromEntries(EVENTS.map((name) => [`/t/events/${name}/format`, ''])),
    '/t/events/iommu/enable': '0',
    '/t/events/iommu/filter': 'none',
    '/t/events/header_page': '',
  },
});

const selected = (...patterns: readonly string[]): string[] =>
  selectEvents(SYSTEM, '/t', patterns).map(({ system, name }) => `${system}:${name}`);

describe('the choice of events', () => {
  test('by itself it is what a trace has streams for, of what the kernel has', () => {
    expect(selected()).toEqual([
      'dma:dma_map_phys',
      'iommu:map',
      'iommu:unmap',
      'syscalls:sys_enter_ioctl',
      'syscalls:sys_exit_ioctl',
    ]);
  });

  test('a system, a name, a list, a star and a slash are understood; each event is there once', () => {
    expect(selected('raw_syscalls', 'iommu:map,iommu/unmap', 'iommu:*')).toEqual([
      'iommu:map',
      'iommu:unmap',
      'raw_syscalls:sys_enter',
      'raw_syscalls:sys_exit',
    ]);
  });

  test('what is asked for by name is taken, carried by a trace or not', () => {
    expect(selected('dma:dma_sync_single_for_cpu')).toEqual(['dma:dma_sync_single_for_cpu']);
  });

  test('an event that this kernel lacks is refused, with the nearest that it has', () => {
    expect(() => selected('iommu:mop')).toThrow(/this kernel has no event iommu:mop/);
    expect(() => selected('raw_syscall')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('raw_syscalls') }),
    );
    expect(() => selected('nonsense:x')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
