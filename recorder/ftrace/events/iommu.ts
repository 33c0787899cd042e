import { ATTACH, CALL, ORIGIN } from '../../../traces/schema.ts';
import type { ComputedNumber } from '../copied-row.ts';
import { accessOf } from '../rows/iommu-rows.ts';
import { copiedEvent } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** Events of the IOMMU core (include/trace/events/iommu.h). They name no domain, and maps no device. */

const COMMON = { origin: ORIGIN.iommu, call: CALL.iommu };

const faultAccess: ComputedNumber = (fields) => {
  const flags = fields.int('flags');
  return (record) => accessOf(flags(record));
};

export const IOMMU_CONVERTERS: readonly EventConverter[] = [
  copiedEvent('iommu', 'map', 'map', { ...COMMON, iova: 'iova', phys: 'paddr', size: 'size' }),
  copiedEvent('iommu', 'unmap', 'unmap', { ...COMMON, iova: 'iova', size: 'size', unmapped: 'unmapped_size' }),
  copiedEvent('iommu', 'attach_device_to_domain', 'attach', { kind: ATTACH.attach, device: { device: 'device' } }),
  copiedEvent('iommu', 'add_device_to_group', 'attach', {
    kind: ATTACH.groupAdd,
    refs: 'gid',
    device: { device: 'device' },
  }),
  copiedEvent('iommu', 'remove_device_from_group', 'attach', {
    kind: ATTACH.groupRemove,
    refs: 'gid',
    device: { device: 'device' },
  }),
  copiedEvent('iommu', 'io_page_fault', 'fault', {
    unit: 'driver',
    rid: { device: 'device' },
    iova: 'iova',
    access: faultAccess,
  }),
];
