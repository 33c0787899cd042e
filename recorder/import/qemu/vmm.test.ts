import { describe, expect, test } from 'vitest';
import type { PlainEvent } from '../../../traces/event.ts';
import { ORIGIN, SEEN } from '../../../traces/schema.ts';
import { qemuLog } from '../qemu-log.ts';
import { readImport } from '../testing/read-import.ts';
import type { ReadImport } from '../testing/read-import.ts';

function read(lines: readonly string[]): ReadImport {
  return readImport(qemuLog, lines, { file: 'qemu.log' });
}

function ioctl(line: string): PlainEvent['fields'] {
  const { events, health } = read([line]);
  expect(health.entries).toEqual([]);
  expect(events.map(({ stream }) => stream)).toEqual(['call', 'ioctl']);
  return events[1]!.fields;
}

function words(bytes: unknown): number[] {
  const array = Uint8Array.from(bytes as Uint8Array);
  return [...new Uint32Array(array.buffer)];
}

describe("a VMM's calls", () => {
  test('a map is the struct that QEMU fills', () => {
    const fields = ioctl(
      'iommufd_backend_map_dma  iommufd=10 ioas=2 iova=0x1fffc0000 size=0x40000 addr=0x7fcfe6800000 readonly=1 (0)',
    );
    expect(fields).toMatchObject({
      fd: 10,
      request: 0x3b85,
      errno: 0,
      seen: SEEN.before | SEEN.after,
      path: '/dev/iommu',
    });
    expect(words(fields['before'])).toEqual([40, 5, 2, 0, 0xe6800000, 0x7fcf, 0x40000, 0, 0xfffc0000, 1]);
    expect(
      words(ioctl('iommufd_backend_map_dma iommufd=1 ioas=2 iova=0x0 size=0x1 addr=0x0 readonly=0 (0)')['before'])[1],
    ).toBe(7);
  });

  test('what a line does not tell is not made up', () => {
    const unmap = ioctl('iommufd_backend_unmap_dma  iommufd=10 ioas=2 iova=0x0 size=0x1000 (0)');
    expect(unmap).toMatchObject({ request: 0x3b86, seen: SEEN.before, errno: 0 });
    const failed = ioctl('iommufd_backend_free_id  iommufd=10 id=3 (-1)');
    expect(failed).toMatchObject({ request: 0x3b80, errno: -1, ret: 0xffffffffffffffffn });
    const missing = ioctl(
      'iommufd_backend_unmap_dma_non_exist  Unmap nonexistent mapping: iommufd=10 ioas=2 iova=0x0 size=0x1000 (-1)',
    );
    expect(missing).toMatchObject({ errno: 2, ret: 0xfffffffffffffffen });
  });

  test('devices are bound and attached', () => {
    const bind = ioctl(
      'iommufd_cdev_connect_and_bind  [iommufd=10] Successfully bound device 0000:00:04.0 (fd=11): output devid=1',
    );
    expect(bind).toMatchObject({ fd: 11, request: 0x3b76 });
    expect([bind['before'], bind['after']].map(words)).toEqual([
      [16, 0, 10, 0],
      [16, 0, 10, 1],
    ]);
    const attach = ioctl(
      'iommufd_cdev_pasid_attach_ioas_hwpt  [iommufd=10] Successfully attached device 0000:00:04.0 (11) pasid 7 to id=3',
    );
    expect(attach).toMatchObject({ fd: 11, request: 0x3b77, seen: SEEN.before });
    expect(words(attach['before'])).toEqual([16, 1, 3, 7]);
    expect(
      words(
        ioctl('iommufd_cdev_attach_ioas_hwpt [iommufd=10] Successfully attached device 0000:00:04.0 (11) to id=3')[
          'before'
        ],
      ),
    ).toEqual([16, 0, 3, 0]);
  });

  test('the files are opened once and closed with the last user', () => {
    const { events } = read([
      'iommufd_backend_connect fd=10 owned=1 users=1',
      'iommufd_backend_connect fd=10 owned=1 users=2',
      'iommufd_cdev_getfd  /dev/vfio/devices/vfio0 (fd=11)',
      'iommufd_backend_disconnect fd=10 users=1',
      'iommufd_backend_disconnect fd=10 users=0',
    ]);
    expect(events.slice(1).map(({ fields }) => [fields['name'], fields['ret'], fields['fd'], fields['path']])).toEqual([
      ['openat', 10n, -1, '/dev/iommu'],
      ['openat', 11n, -1, '/dev/vfio/devices/vfio0'],
      ['close', 0n, 10, '/dev/iommu'],
    ]);
  });

  test('without IOMMUFD the memory listener tells of maps and unmaps', () => {
    const lines = [
      'vfio_listener_region_add_ram region_add [ram] 0x0 - 0xfffffff [0x7fc734e00000]',
      'vfio_listener_region_del region_del 0x100000000 - 0x1ffffffff',
    ];
    const { events } = read(lines);
    expect(events.map(({ stream, fields }) => [stream, fields['origin'], fields['iova'], fields['size']])).toEqual([
      ['map', ORIGIN.vfio, 0n, 0x10000000n],
      ['unmap', ORIGIN.vfio, 0x100000000n, 0x100000000n],
    ]);
    expect(
      read(['iommufd_backend_connect fd=10 owned=1 users=1', ...lines]).events.map(({ stream }) => stream),
    ).toEqual(['call', 'call']);
  });

  test.each([
    'iommufd_backend_map_dma  iommufd=10 ioas=2 iova=0x0 size=0x1000 readonly=0 (0)',
    'iommufd_backend_free_id  iommufd=10',
    'iommufd_cdev_pasid_attach_ioas_hwpt  [iommufd=10] device (11) to id=3',
    'vfio_listener_region_del region_del 0x1000 - 0xfff',
    'vfio_listener_region_add_ram region_add [ram] x',
  ])('malformed: %s', (line) => {
    expect(read([line]).health.malformed).toBe(1);
  });

  test('a host whose IOMMU is real', () => {
    const describe = (line: string): unknown => qemuLog.describe(Buffer.from(`${line}\n`)).host;
    expect(describe('vfio_mdev  (0000:00:04.0) is_mdev 0')).toEqual({ emulated: false });
    expect(describe('vtd_inv_qi_fetch')).toEqual({ iommu: 'vtd', emulated: true });
  });
});
