import { ATTACH } from '../../../traces/schema.ts';
import type { Extent, FieldReader, RecordConverter } from '../event-record.ts';
import { writeAttach, writeFault, writeGroup, writeMap, writeUnmap } from '../rows/iommu-rows.ts';
import { eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** Events of the IOMMU core (include/trace/events/iommu.h). They name no domain, and maps no device. */

const name: Extent = { start: 0, end: 0 };

function compileMap(fields: FieldReader): RecordConverter {
  const iova = fields.long('iova');
  const paddr = fields.long('paddr');
  const size = fields.long('size');
  return (record, out) => {
    writeMap(
      out,
      iova.lo(record),
      iova.hi(record),
      paddr.lo(record),
      paddr.hi(record),
      size.lo(record),
      size.hi(record),
    );
    return true;
  };
}

function compileUnmap(fields: FieldReader): RecordConverter {
  const iova = fields.long('iova');
  const size = fields.long('size');
  const unmapped = fields.long('unmapped_size');
  return (record, out) => {
    writeUnmap(
      out,
      iova.lo(record),
      iova.hi(record),
      size.lo(record),
      size.hi(record),
      unmapped.lo(record),
      unmapped.hi(record),
    );
    return true;
  };
}

function compileAttach(fields: FieldReader): RecordConverter {
  const device = fields.text('device');
  return (record, out) => {
    if (!device(record, name)) return false;
    writeAttach(out, out.device(record.bytes, name.start, name.end));
    return true;
  };
}

function compileGroup(fields: FieldReader, kind: number): RecordConverter {
  const group = fields.int('gid');
  const device = fields.text('device');
  return (record, out) => {
    if (!device(record, name)) return false;
    writeGroup(out, kind, group(record), out.device(record.bytes, name.start, name.end));
    return true;
  };
}

function compileFault(fields: FieldReader): RecordConverter {
  const driver = fields.text('driver');
  const device = fields.text('device');
  const iova = fields.long('iova');
  const flags = fields.int('flags');
  return (record, out) => {
    const { bytes } = record;
    if (!driver(record, name)) return false;
    const unit = out.ref(bytes, name.start, name.end);
    if (!device(record, name)) return false;
    writeFault(out, unit, out.device(bytes, name.start, name.end), iova.lo(record), iova.hi(record), flags(record));
    return true;
  };
}

export const IOMMU_CONVERTERS: readonly EventConverter[] = [
  eventConverter('iommu', 'map', compileMap),
  eventConverter('iommu', 'unmap', compileUnmap),
  eventConverter('iommu', 'attach_device_to_domain', compileAttach),
  eventConverter('iommu', 'add_device_to_group', (fields) => compileGroup(fields, ATTACH.groupAdd)),
  eventConverter('iommu', 'remove_device_from_group', (fields) => compileGroup(fields, ATTACH.groupRemove)),
  eventConverter('iommu', 'io_page_fault', compileFault),
];
