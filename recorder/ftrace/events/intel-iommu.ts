import { ATTACH, FLUSH } from '../../../traces/schema.ts';
import type { FieldReader, RecordConverter } from '../event-record.ts';
import { NO_NAME } from '../name-reader.ts';
import {
  PRIVATE_DATA_PRESENT,
  readPageRequestWords,
  writeFlushAll,
  writeFlushRange,
  writePageRequest,
  writeQiSubmit,
  writeTag,
} from '../rows/intel-iommu-rows.ts';
import { eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** Events of the VT-d driver (drivers/iommu/intel/trace.h). */

function compileQiSubmit(fields: FieldReader): RecordConverter {
  const iommu = fields.ref('iommu');
  const w0 = fields.long('qw0');
  const w1 = fields.long('qw1');
  const w2 = fields.long('qw2');
  const w3 = fields.long('qw3');
  return (record, out) => {
    const unit = iommu(record, out);
    if (unit === NO_NAME) return false;
    writeQiSubmit(
      out,
      unit,
      w0.lo(record),
      w0.hi(record),
      w1.lo(record),
      w1.hi(record),
      w2.lo(record),
      w2.hi(record),
      w3.lo(record),
      w3.hi(record),
    );
    return true;
  };
}

function compileFlushRange(fields: FieldReader, op: number): RecordConverter {
  const iommu = fields.ref('iommu');
  const dev = fields.device('dev', true);
  const type = fields.int('type');
  const domain = fields.int('domain_id');
  const pasid = fields.int('pasid');
  const start = fields.long('start');
  const end = fields.long('end');
  const addr = fields.long('addr');
  const mask = fields.int('mask');
  return (record, out) => {
    const unit = iommu(record, out);
    if (unit === NO_NAME) return false;
    const device = dev(record, out);
    if (device === NO_NAME) return false;
    writeFlushRange(
      out,
      op,
      unit,
      device,
      type(record),
      domain(record),
      pasid(record),
      start.lo(record),
      start.hi(record),
      end.lo(record),
      end.hi(record),
      addr.lo(record),
      addr.hi(record),
      mask(record),
    );
    return true;
  };
}

const tag = { unit: 0, device: 0, type: 0, domain: 0, pasid: 0, refs: 0 };

/** Reads `tag`. */
function compileTag(fields: FieldReader): RecordConverter {
  const iommu = fields.ref('iommu');
  const dev = fields.device('dev', true);
  const type = fields.int('type');
  const domain = fields.int('domain_id');
  const pasid = fields.int('pasid');
  const users = fields.int('users');
  return (record, out) => {
    tag.unit = iommu(record, out);
    if (tag.unit === NO_NAME) return false;
    tag.device = dev(record, out);
    if (tag.device === NO_NAME) return false;
    tag.type = type(record);
    tag.domain = domain(record);
    tag.pasid = pasid(record);
    tag.refs = users(record);
    return true;
  };
}

function compileAssign(fields: FieldReader, kind: number): RecordConverter {
  const read = compileTag(fields);
  return (record, out) => {
    if (!read(record, out)) return false;
    writeTag(out, kind, tag);
    return true;
  };
}

function compileFlushAll(fields: FieldReader): RecordConverter {
  const read = compileTag(fields);
  return (record, out) => {
    if (!read(record, out)) return false;
    writeFlushAll(out, tag);
    return true;
  };
}

const prq = { unit: 0, rid: 0, pasid: 0, group: 0, pageLo: 0, pageHi: 0, access: 0, seq: 0 };

function compilePageRequest(fields: FieldReader): RecordConverter {
  const iommu = fields.ref('iommu');
  const seq = fields.int('seq');
  const [dw0, dw1, dw2, dw3] = [fields.long('dw0'), fields.long('dw1'), fields.long('dw2'), fields.long('dw3')];
  return (record, out) => {
    prq.unit = iommu(record, out);
    if (prq.unit === NO_NAME) return false;
    prq.seq = seq(record);
    const first = dw0.lo(record);
    readPageRequestWords(prq, first, dw0.hi(record), dw1.lo(record), dw1.hi(record));
    let data: Uint8Array | undefined;
    if ((first & PRIVATE_DATA_PRESENT) !== 0) {
      data = new Uint8Array(16);
      const words = [dw2.lo(record), dw2.hi(record), dw3.lo(record), dw3.hi(record)];
      const view = new DataView(data.buffer);
      words.forEach((word, i) => view.setInt32(i * 4, word, true));
    }
    writePageRequest(out, prq, data);
    return true;
  };
}

export const INTEL_IOMMU_CONVERTERS: readonly EventConverter[] = [
  eventConverter('intel_iommu', 'qi_submit', compileQiSubmit),
  eventConverter('intel_iommu', 'cache_tag_flush_range', (fields) => compileFlushRange(fields, FLUSH.range)),
  eventConverter('intel_iommu', 'cache_tag_flush_range_np', (fields) =>
    compileFlushRange(fields, FLUSH.rangeNotPresent),
  ),
  eventConverter('intel_iommu', 'cache_tag_flush_all', compileFlushAll),
  eventConverter('intel_iommu', 'cache_tag_assign', (fields) => compileAssign(fields, ATTACH.tagAssign)),
  eventConverter('intel_iommu', 'cache_tag_unassign', (fields) => compileAssign(fields, ATTACH.tagUnassign)),
  eventConverter('intel_iommu', 'prq_report', compilePageRequest),
];
