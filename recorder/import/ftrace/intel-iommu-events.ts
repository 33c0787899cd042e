import { ABSENT } from '../../../traces/units.ts';
import { ACCESS, ATTACH, FLUSH, TAG_TYPE_NAMES } from '../../../traces/schema.ts';
import {
  readPageRequestWords,
  writeFlushAll,
  writeFlushRange,
  writePageRequest,
  writeQiSubmit,
  writeTag,
} from '../../ftrace/rows/intel-iommu-rows.ts';
import { ascii } from '../byte-cursor.ts';
import { eventParser } from './event-line.ts';
import type { EventLine, EventParser } from './event-line.ts';

/** Events of the VT-d driver (drivers/iommu/intel/trace.h). */

const SLASH = 0x2f;
const BRACKET = 0x5b;
const COLON = 0x3a;

const TYPE = ascii(' type ');
const DOMAIN = ascii(' did ');
const PASID = ascii(' pasid ');
const REFS = ascii(' ref ');
const PASID_TYPE = ascii('] type ');
const RANGE = ascii(' [0x');
const RANGE_TO = ascii('-0x');
const ADDR = ascii('] addr 0x');
const PAGES = ascii(' pages 0x');
const MASK = ascii(' mask 0x');
const WORD = ascii(' 0x');
const SEQ = ascii(' seq# ');
const PRQ_RID = ascii(': rid=0x');
const PRQ_ADDR = ascii(' addr=0x');
const PRQ_PASID = ascii(' pasid=0x');
const PRQ_INDEX = ascii(' index=0x');
const PRQ_PRIVATE = ascii(' private=0x');
const PRQ_PRIVATE_NEXT = ascii('/0x');
const RAW_PRQ = ascii('[FAILED TO PARSE] dw0=');
const RAW_DW1 = ascii(' dw1=');
const RAW_DW2 = ascii(' dw2=');
const RAW_DW3 = ascii(' dw3=');
const RAW_SEQ = ascii(' seq=0x');
const RAW_UNIT = ascii(' iommu=');
const TAG_TYPES = TAG_TYPE_NAMES.map(ascii);
/** Letters of a page request's access, in the order of its five columns: read, write, execute, privileged, last. */
const PRQ_LETTERS = ascii('rwxpl');
const PRQ_ACCESS = [ACCESS.read, ACCESS.write, ACCESS.execute, ACCESS.privileged, ACCESS.last] as const;

/** `iotlb` (tracefs) or `0x0` (trace-cmd, perf): number of the tag type in `lo`. Unknown words are refused. */
function tagType(line: EventLine): boolean {
  const { cursor } = line;
  const { pos } = cursor;
  if (cursor.hex0x()) return true;
  for (let type = 0; type < TAG_TYPES.length; type++) {
    cursor.pos = pos;
    if (cursor.literal(TAG_TYPES[type]!) && cursor.atBoundary()) {
      cursor.lo = type;
      return true;
    }
  }
  return false;
}

/** Fields of `<unit>/<device> type <t> did <d> pasid <p> ref <r>`, read by `readTag`. */
const tag = { unit: 0, device: 0, type: 0, domain: 0, pasid: 0, refs: 0 };

// dmar0/0000:01:00.0 type devtlb did 11 pasid 0 ref 1
// dmar0/dmar0 type 0x0 did 2 pasid 0 ref 1                     (trace-cmd report)
function readTag(line: EventLine): boolean {
  const { cursor } = line;
  if (!cursor.tokenUntil(SLASH)) return false;
  tag.unit = line.tokenRef();
  if (!cursor.byte(SLASH) || !cursor.token()) return false;
  tag.device = line.tokenDevice(true);
  if (!cursor.literal(TYPE) || !tagType(line)) return false;
  tag.type = cursor.lo;
  if (!cursor.literal(DOMAIN) || !cursor.int()) return false;
  tag.domain = cursor.lo;
  if (!cursor.literal(PASID) || !cursor.int()) return false;
  tag.pasid = cursor.lo;
  if (!cursor.literal(REFS) || !cursor.int() || !cursor.atBoundary()) return false;
  tag.refs = cursor.lo;
  return true;
}

function parseTag(line: EventLine, kind: number): boolean {
  if (!readTag(line)) return false;
  writeTag(line.out, kind, tag);
  return true;
}

function parseFlushAll(line: EventLine): boolean {
  if (!readTag(line)) return false;
  writeFlushAll(line.out, tag);
  return true;
}

// dmar0 dmar0[0] type iotlb did 4 [0xffff8000-0xffff8fff] addr 0xffff8000 pages 0x1 mask 0x0     (Linux 6.12)
// dmar0 0000:01:00.0[7] type devtlb did 10 [0x100015000-0x100015fff] addr 0x100015000 mask 0x0   (Linux 7.2)
function parseFlushRange(line: EventLine, op: number): boolean {
  const { cursor } = line;
  if (!cursor.token()) return false;
  const unit = line.tokenRef();
  cursor.skipSpaces();
  if (!cursor.tokenUntil(BRACKET)) return false;
  const device = line.tokenDevice(true);
  if (!cursor.byte(BRACKET) || !cursor.int()) return false;
  const pasid = cursor.lo;
  if (!cursor.literal(PASID_TYPE) || !tagType(line)) return false;
  const type = cursor.lo;
  if (!cursor.literal(DOMAIN) || !cursor.int()) return false;
  const domain = cursor.lo;
  if (!cursor.literal(RANGE) || !cursor.hex()) return false;
  const startLo = cursor.lo;
  const startHi = cursor.hi;
  if (!cursor.literal(RANGE_TO) || !cursor.hex()) return false;
  const endLo = cursor.lo;
  const endHi = cursor.hi;
  if (!cursor.literal(ADDR) || !cursor.hex()) return false;
  const addrLo = cursor.lo;
  const addrHi = cursor.hi;
  const { pos } = cursor;
  if (!cursor.literal(PAGES)) cursor.pos = pos;
  else if (!cursor.hex()) return false;
  if (!cursor.literal(MASK) || !cursor.hex() || !cursor.atBoundary()) return false;
  writeFlushRange(
    line.out,
    op,
    unit,
    device,
    type,
    domain,
    pasid,
    startLo,
    startHi,
    endLo,
    endHi,
    addrLo,
    addrHi,
    cursor.lo,
  );
  return true;
}

// iotlb_inv dmar0: 0x400f2 0xffff8040 0x0 0x0
function parseQiSubmit(line: EventLine): boolean {
  const { cursor } = line;
  // The kind (iotlb_inv, dev_tlb_inv, ...) only repeats the low bits of the first word.
  if (!cursor.token()) return false;
  cursor.skipSpaces();
  if (!cursor.tokenUntil(COLON)) return false;
  const unit = line.tokenRef();
  if (!cursor.byte(COLON) || !cursor.literal(WORD) || !cursor.hex()) return false;
  const w0Lo = cursor.lo;
  const w0Hi = cursor.hi;
  if (!cursor.literal(WORD) || !cursor.hex()) return false;
  const w1Lo = cursor.lo;
  const w1Hi = cursor.hi;
  if (!cursor.literal(WORD) || !cursor.hex()) return false;
  const w2Lo = cursor.lo;
  const w2Hi = cursor.hi;
  if (!cursor.literal(WORD) || !cursor.hex() || !cursor.atBoundary()) return false;
  writeQiSubmit(line.out, unit, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi, cursor.lo, cursor.hi);
  return true;
}

const prq = { unit: 0, rid: 0, pasid: 0, group: 0, pageLo: 0, pageHi: 0, access: 0, seq: 0 };
const privateData = new DataView(new ArrayBuffer(16));

// dmar0/0000:01:00.0 seq# 0: rid=0x100 addr=0x1006b0 rw--- pasid=0x7 index=0x0
// ... index=0x0 private=0x1122334455667788/0x99aabbccddeeff00
function parsePageRequest(line: EventLine): boolean {
  const { cursor } = line;
  const { pos } = cursor;
  if (cursor.literal(RAW_PRQ)) return parseRawPageRequest(line);
  cursor.pos = pos;
  if (!cursor.tokenUntil(SLASH)) return false;
  prq.unit = line.tokenRef();
  if (!cursor.byte(SLASH) || !cursor.token()) return false;
  if (!cursor.literal(SEQ) || !cursor.decimal()) return false;
  prq.seq = cursor.lo;
  if (!cursor.literal(PRQ_RID) || !cursor.hex()) return false;
  prq.rid = cursor.lo;
  if (!cursor.literal(PRQ_ADDR) || !cursor.hex()) return false;
  prq.pageLo = cursor.lo;
  prq.pageHi = cursor.hi;
  cursor.skipSpaces();
  if (!cursor.token() || cursor.tokenEnd - cursor.tokenStart !== PRQ_LETTERS.length) return false;
  prq.access = 0;
  for (let i = 0; i < PRQ_LETTERS.length; i++) {
    const letter = cursor.bytes[cursor.tokenStart + i];
    if (letter === PRQ_LETTERS[i]) prq.access |= PRQ_ACCESS[i]!;
    else if (letter !== 0x2d) return false;
  }
  if (!cursor.literal(PRQ_PASID) || !cursor.hex()) return false;
  prq.pasid = cursor.lo;
  if (!cursor.literal(PRQ_INDEX) || !cursor.hex() || !cursor.atBoundary()) return false;
  prq.group = cursor.lo;
  const after = cursor.pos;
  let withData = false;
  if (cursor.literal(PRQ_PRIVATE)) {
    for (let i = 0; i < 2; i++) {
      if (i === 1 && !cursor.literal(PRQ_PRIVATE_NEXT)) return false;
      if (!cursor.hex()) return false;
      privateData.setInt32(i * 8, cursor.lo, true);
      privateData.setInt32(i * 8 + 4, cursor.hi, true);
    }
    withData = true;
  } else cursor.pos = after;
  writePageRequest(line.out, prq, withData ? new Uint8Array(privateData.buffer.slice(0)) : undefined);
  return true;
}

// [FAILED TO PARSE] dw0=30081548545 dw1=4301979651 dw2=0 dw3=0 seq=0x0 iommu=dmar0 dev=0000:01:00.0 buff=
// trace-cmd 3.3 prints the fields of the event as it can't follow its format; dw0 and dw1 are the page request descriptor.
function parseRawPageRequest(line: EventLine): boolean {
  const { cursor } = line;
  if (!cursor.decimal()) return false;
  const dw0Lo = cursor.lo;
  const dw0Hi = cursor.hi;
  if (!cursor.literal(RAW_DW1) || !cursor.decimal()) return false;
  readPageRequestWords(prq, dw0Lo, dw0Hi, cursor.lo, cursor.hi);
  if (!cursor.literal(RAW_DW2) || !cursor.decimal() || !cursor.literal(RAW_DW3) || !cursor.decimal()) return false;
  if (!cursor.literal(RAW_SEQ) || !cursor.hex()) return false;
  prq.seq = cursor.lo;
  prq.unit = cursor.literal(RAW_UNIT) && cursor.token() ? line.tokenRef() : ABSENT;
  writePageRequest(line.out, prq, undefined);
  return true;
}

export const INTEL_IOMMU_EVENTS: readonly EventParser[] = [
  eventParser('intel_iommu', ['qi_submit'], parseQiSubmit),
  eventParser('intel_iommu', ['cache_tag_flush_range'], (line) => parseFlushRange(line, FLUSH.range)),
  eventParser('intel_iommu', ['cache_tag_flush_range_np'], (line) => parseFlushRange(line, FLUSH.rangeNotPresent)),
  eventParser('intel_iommu', ['cache_tag_flush_all'], parseFlushAll),
  eventParser('intel_iommu', ['cache_tag_assign'], (line) => parseTag(line, ATTACH.tagAssign)),
  eventParser('intel_iommu', ['cache_tag_unassign'], (line) => parseTag(line, ATTACH.tagUnassign)),
  eventParser('intel_iommu', ['prq_report'], parsePageRequest),
];
