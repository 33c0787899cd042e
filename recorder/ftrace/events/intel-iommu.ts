import { ATTACH, DIALECT, FLUSH, INV_FORM } from '../../../traces/schema.ts';
import type { ComputedNumber } from '../copied-row.ts';
import type { FieldReader, RecordConverter } from '../event-record.ts';
import { NO_NAME } from '../name-reader.ts';
import {
  PRIVATE_DATA_PRESENT,
  noteAnswering,
  readPageRequestWords,
  writePageRequest,
} from '../rows/intel-iommu-rows.ts';
import { copiedEvent, eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** Events of the VT-d driver (drivers/iommu/intel/trace.h). */

const UNIT_AND_DEVICE = { unit: 'iommu', device: { device: 'dev', unit: true } } as const;
const TAG = { ...UNIT_AND_DEVICE, type: 'type', domain: 'domain_id', pasid: 'pasid' } as const;
const RANGE = { ...TAG, start: 'start', end: 'end', addr: 'addr', mask: 'mask' } as const;
const DESCRIPTOR = { unit: 'iommu', w0: 'qw0', w1: 'qw1', w2: 'qw2', w3: 'qw3' } as const;

/** What a descriptor says of its task is noted. */
const noted: ComputedNumber = (fields) => {
  const { lo } = fields.long('qw0');
  return (record, out) => {
    noteAnswering(out, lo(record));
    return DIALECT.vtd;
  };
};

const prq = { unit: 0, rid: 0, pasid: 0, group: 0, pageLo: 0, pageHi: 0, access: 0, seq: 0 };

function compilePageRequest(fields: FieldReader): RecordConverter {
  const iommu = fields.ref('iommu');
  const seq = fields.int('seq');
  const [dw0, dw1, dw2, dw3] = [fields.long('dw0'), fields.long('dw1'), fields.long('dw2'), fields.long('dw3')];
  return (record, out) => {
    prq.unit = iommu.read(record, out);
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
  copiedEvent('intel_iommu', 'qi_submit', 'inv', { ...DESCRIPTOR, dialect: noted, form: INV_FORM.words }),
  copiedEvent('intel_iommu', 'cache_tag_flush_range', 'flush', { ...RANGE, op: FLUSH.range }),
  copiedEvent('intel_iommu', 'cache_tag_flush_range_np', 'flush', { ...RANGE, op: FLUSH.rangeNotPresent }),
  copiedEvent('intel_iommu', 'cache_tag_flush_all', 'flush', { ...TAG, op: FLUSH.all }),
  copiedEvent('intel_iommu', 'cache_tag_assign', 'attach', { ...TAG, refs: 'users', kind: ATTACH.tagAssign }),
  copiedEvent('intel_iommu', 'cache_tag_unassign', 'attach', { ...TAG, refs: 'users', kind: ATTACH.tagUnassign }),
  eventConverter('intel_iommu', 'prq_report', compilePageRequest),
];
