import { VTD_TYPE, vtdType } from '../../../traces/dialects/vtd-fields.ts';
import { ACCESS, DIALECT, FLUSH, INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import type { EventOutput } from '../event-output.ts';

/** Rows of the VT-d driver's events (drivers/iommu/intel/trace.h). Units are string-table indices. */

/** Threads that are noted as answering page requests. */
const MOST_ANSWERING = 65_536;

/** Fields of `cache_tag_assign`, `cache_tag_unassign` and `cache_tag_flush_all`; readers fill the one object that they keep. */
export interface TagFields {
  unit: number;
  device: number;
  type: number;
  domain: number;
  pasid: number;
  refs: number;
}

/** `kind`: `tagAssign` or `tagUnassign` of `ATTACH`. */
export function writeTag(out: EventOutput, kind: number, tag: TagFields): void {
  const row = out.begin(STREAM_ID.attach);
  const columns = out.sink.rows.attach.columns;
  columns.kind[row] = kind;
  columns.unit[row] = tag.unit;
  columns.device[row] = tag.device;
  columns.type[row] = tag.type;
  columns.domain[row] = tag.domain;
  columns.pasid[row] = tag.pasid;
  columns.refs[row] = tag.refs;
}

export function writeFlushAll(out: EventOutput, tag: TagFields): void {
  const row = out.begin(STREAM_ID.flush);
  const columns = out.sink.rows.flush.columns;
  columns.op[row] = FLUSH.all;
  columns.unit[row] = tag.unit;
  columns.device[row] = tag.device;
  columns.type[row] = tag.type;
  columns.domain[row] = tag.domain;
  columns.pasid[row] = tag.pasid;
}

/** `op`: `range` or `rangeNotPresent` of `FLUSH`. */
export function writeFlushRange(
  out: EventOutput,
  op: number,
  unit: number,
  device: number,
  type: number,
  domain: number,
  pasid: number,
  startLo: number,
  startHi: number,
  endLo: number,
  endHi: number,
  addrLo: number,
  addrHi: number,
  mask: number,
): void {
  const row = out.begin(STREAM_ID.flush);
  const columns = out.sink.rows.flush.columns;
  columns.op[row] = op;
  columns.unit[row] = unit;
  columns.device[row] = device;
  columns.type[row] = type;
  columns.domain[row] = domain;
  columns.pasid[row] = pasid;
  columns.startLo[row] = startLo;
  columns.startHi[row] = startHi;
  columns.endLo[row] = endLo;
  columns.endHi[row] = endHi;
  columns.addrLo[row] = addrLo;
  columns.addrHi[row] = addrHi;
  columns.mask[row] = mask;
}

export function writeQiSubmit(
  out: EventOutput,
  unit: number,
  w0Lo: number,
  w0Hi: number,
  w1Lo: number,
  w1Hi: number,
  w2Lo: number,
  w2Hi: number,
  w3Lo: number,
  w3Hi: number,
): void {
  noteAnswering(out, w0Lo);
  const row = out.begin(STREAM_ID.inv);
  const columns = out.sink.rows.inv.columns;
  columns.unit[row] = unit;
  columns.dialect[row] = DIALECT.vtd;
  columns.form[row] = INV_FORM.words;
  columns.w0Lo[row] = w0Lo;
  columns.w0Hi[row] = w0Hi;
  columns.w1Lo[row] = w1Lo;
  columns.w1Hi[row] = w1Hi;
  columns.w2Lo[row] = w2Lo;
  columns.w2Hi[row] = w2Hi;
  columns.w3Lo[row] = w3Lo;
  columns.w3Hi[row] = w3Hi;
}

/** Threads that submit page responses answer page requests. `w0Lo`: low word of the descriptor. */
export function noteAnswering(out: EventOutput, w0Lo: number): void {
  if (vtdType(w0Lo) === VTD_TYPE.pageResponse && out.answering.size < MOST_ANSWERING) out.answering.add(out.task);
}

export interface PageRequestFields {
  unit: number;
  rid: number;
  pasid: number;
  group: number;
  /** Page number: address >> 12. */
  pageLo: number;
  pageHi: number;
  access: number;
  seq: number;
}

/** Bit 9 of the first word: the descriptor holds private data (VT-d spec 7.4.1). */
export const PRIVATE_DATA_PRESENT = 0x200;

/**
 * Reads the first two words of a page request descriptor (VT-d spec 7.4.1): dw0 bits 31:16 requester, 51:32 PASID, 52 execute,
 * 53 privileged; dw1 bits 0 read, 1 write, 2 last, 11:3 group, 63:12 page number.
 */
export function readPageRequestWords(
  prq: PageRequestFields,
  dw0Lo: number,
  dw0Hi: number,
  dw1Lo: number,
  dw1Hi: number,
): void {
  prq.rid = dw0Lo >>> 16;
  prq.pasid = dw0Hi & 0xfffff;
  prq.access =
    ((dw0Hi >>> 20) & 1) * ACCESS.execute +
    ((dw0Hi >>> 21) & 1) * ACCESS.privileged +
    (dw1Lo & 1) * ACCESS.read +
    ((dw1Lo >>> 1) & 1) * ACCESS.write +
    ((dw1Lo >>> 2) & 1) * ACCESS.last;
  prq.group = (dw1Lo >>> 3) & 0x1ff;
  prq.pageLo = (dw1Lo >>> 12) | (dw1Hi << 20);
  prq.pageHi = dw1Hi >>> 12;
}

/** The byte address is the page number shifted left by 12. `data`: the private data, 16 bytes. */
export function writePageRequest(out: EventOutput, prq: PageRequestFields, data: Uint8Array | undefined): void {
  const row = out.begin(STREAM_ID.prq);
  const columns = out.sink.rows.prq.columns;
  columns.unit[row] = prq.unit;
  columns.rid[row] = prq.rid;
  columns.pasid[row] = prq.pasid;
  columns.group[row] = prq.group;
  columns.iovaLo[row] = prq.pageLo << 12;
  columns.iovaHi[row] = (prq.pageHi << 12) | (prq.pageLo >>> 20);
  columns.access[row] = prq.access;
  columns.seq[row] = prq.seq;
  if (data !== undefined) out.sink.setBytes(columns.data, row, data);
}
