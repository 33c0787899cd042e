import { describe, expect, test } from 'vitest';
import { ATTACH, DIALECT, INV_FORM, RESET } from '../../../traces/schema.ts';
import { readLog } from '../testing/read-log-lines.ts';

describe('virtio-iommu', () => {
  test('requests are commands in the words of their fields', () => {
    const { of } = readLog([
      'virtio_iommu_attach domain=6 endpoint=256',
      'virtio_iommu_map domain=6 virt_start=0xffffe000 virt_end=0xffffffff phys_start=0x108af8000 flags=3',
      'virtio_iommu_unmap domain=6 virt_start=0xffffe000 virt_end=0xffffffff',
      'virtio_iommu_unmap_done domain=6 virt_start=0xffffe000 virt_end=0xffffffff',
      'virtio_iommu_detach domain=6 endpoint=256',
      'virtio_iommu_detach_endpoint_from_domain domain=6 endpoint=256',
    ]);
    expect(of('inv').map(({ dialect, form, w0, w1, w2, w3 }) => [dialect, form, w0, w1, w2, w3])).toEqual([
      [DIALECT.virtio, INV_FORM.words, 0x600000001n, 0x100n, 0n, 0n],
      [DIALECT.virtio, INV_FORM.words, 0x600000303n, 0xffffe000n, 0xffffffffn, 0x108af8000n],
      [DIALECT.virtio, INV_FORM.words, 0x600000004n, 0xffffe000n, 0xffffffffn, 0n],
      [DIALECT.virtio, INV_FORM.words, 0x600000002n, 0x100n, 0n, 0n],
    ]);
    expect(of('attach')).toMatchObject([
      { kind: ATTACH.attach, device: 256, domain: 6 },
      { kind: ATTACH.detach, device: 256, domain: 6 },
    ]);
  });

  test('an endpoint that leaves a domain unasked', () => {
    const { of } = readLog([
      'virtio_iommu_detach_endpoint_from_domain domain=6 endpoint=256',
      'virtio_iommu_system_reset system reset!',
    ]);
    expect(of('attach')).toMatchObject([{ kind: ATTACH.detach, device: 256, domain: 6 }]);
    expect(of('inv')).toMatchObject([{ form: INV_FORM.reset, w0: BigInt(RESET.unitReset) }]);
  });

  test('domains are unsigned, printed as signed', () => {
    expect(
      readLog(['virtio_iommu_unmap domain=-2 virt_start=0x0 virt_end=0xffffffffffffffff']).of('inv'),
    ).toMatchObject([{ w0: 0xfffffffe00000004n, w2: 0xffffffffffffffffn }]);
  });

  test('faults and translations', () => {
    const { of } = readLog([
      'virtio_iommu_report_fault FAULT reason=2 flags=258 endpoint=256 address =0x900000000',
      'virtio_iommu_report_fault FAULT reason=1 flags=1 endpoint=256 address =0x900000000',
      'virtio_iommu_translate mr=virtio-iommu-memory-region-8-80 rid=80 addr=0xffffe040 flag=1',
      'virtio_iommu_translate_out 0xffffe040 -> 0x108af8040 for sid=80',
    ]);
    expect(of('fault')).toMatchObject([
      { rid: 256, reason: 2, access: 2, iova: 0x900000000n },
      { rid: 256, reason: 1, access: 1, iova: 0n },
    ]);
    expect(of('dma')).toMatchObject([{ rid: 80, iova: 0xffffe040n, out: 0x108af8000n, outcome: 0 }]);
  });

  test('lines that are cut, and events of another kind', () => {
    const { health } = readLog([
      'virtio_iommu_map domain=6 virt_start=0xffffe000 virt_end=0xffffffff phys_start=0x108af8000 flags=',
      'virtio_iommu_map domain=6 virt_start=0xffffe000 virt_end=0xffffffff phys_start=0x108af8000 flags=16777216',
      'virtio_iommu_unmap domain=6 virt_start=0xffffe000',
      'virtio_iommu_attach domain=6',
      'virtio_iommu_unmap_done domain=6',
      'virtio_iommu_brand_new 1',
    ]);
    expect(health).toMatchObject({ malformed: 5, unknown: 1 });
  });
});
