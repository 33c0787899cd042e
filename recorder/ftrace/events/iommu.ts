import { ATTACH } from '../../../traces/schema.ts';
import type { FieldReader, RecordConverter } from '../event-record.ts';
import { NO_NAME } from '../name-reader.ts';
import { writeAttach, writeFault, writeGroup, writeMap, writeUnmap } from '../rows/iommu-rows.ts';
import { eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** Events of the IOMMU core (include/trace/events/iommu.h). They name no domain, and maps no device. */

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
  const device = fields.device('device');
  return (record, out) => {
    const rid = device(record, out);
    if (rid === NO_NAME) return false;
    writeAttach(out, rid);
    return true;
  };
}

function compileGroup(fields: FieldReader, kind: number): RecordConverter {
  const group = fields.int('gid');
  const device = fields.device('device');
  return (record, out) => {
    const rid = device(record, out);
    if (rid === NO_NAME) return false;
    writeGroup(out, kind, group(record), rid);
    return true;
  };
}

function compileFault(fields: FieldReader): RecordConverter {
  const driver = fields.ref('driver');
  const device = fields.device('device');
  const iova = fields.long('iova');
  const flags = fields.int('flags');
  return (record, out) => {
    const unit = driver(record, out);
    if (unit === NO_NAME) return false;
    const rid = device(record, out);
    if (rid === NO_NAME) return false;
    writeFault(out, unit, rid, iova.lo(record), iova.hi(record), flags(record));
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
