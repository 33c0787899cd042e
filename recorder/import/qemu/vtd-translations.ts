import { ACCESS, ATTACH, OUTCOME, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { ascii } from '../byte-cursor.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import { readBdf } from './bdf.ts';
import { LINE } from './device-model.ts';
import type { QemuLine } from './device-model.ts';
import { LOOKUP } from './pending-lookups.ts';
import type { VtdState } from './vtd-state.ts';

/** Lookups, translations, context entries and faults of QEMU's VT-d model (hw/i386/trace-events, hw/i386/intel_iommu.c). */

const HIT = ascii('IOTLB page hit sid 0x');
const UPDATE = ascii('IOTLB page update sid 0x');
const IOVA = ascii(' iova 0x');
const PTE = ascii(' slpte 0x');
const DOMAIN = ascii(' domain 0x');
const DEVICE = ascii('dev ');
const GPA = ascii(' -> gpa 0x');
const MASK = ascii(' mask 0x');
const SIZE_LIMIT = ascii('exceeds size limit');
const PASS_THROUGH = ascii('source id 0x');
const PASS_THROUGH_IOVA = ascii(', iova 0x');
const CONTEXT_BUS = ascii('IOTLB context update bus 0x');
const CONTEXT_DEVFN = ascii(' devfn 0x');
const CONTEXT_HIGH = ascii(' high 0x');
const SID = ascii('sid 0x');
const FAULT = ascii(' fault ');
const ADDR = ascii(' addr 0x');
const WRITE = ascii(' write ');
/** Address bits of a page-table entry are 51:12 (VT-d spec 9.8). */
const ENTRY_HIGH = 0x000fffff;

/** A requester id within its segment; QEMU prints no segment. */
function requester(cursor: ByteCursor): boolean {
  return cursor.hex() && cursor.hi === 0 && cursor.lo >>> 16 === 0;
}

// IOTLB page hit sid 0x18 iova 0xfffff002 slpte 0x10efee003 domain 0x4
// IOTLB page update sid 0x18 iova 0xfffff002 slpte 0x10efee003 domain 0x4
function parseLookup(state: VtdState, line: QemuLine, kind: number): number {
  const { cursor } = line;
  if (!cursor.literal(kind === LOOKUP.hit ? HIT : UPDATE) || !requester(cursor)) return LINE.malformed;
  const rid = cursor.lo;
  if (!cursor.literal(IOVA) || !cursor.hex()) return LINE.malformed;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(PTE) || !cursor.hex()) return LINE.malformed;
  const pteLo = cursor.lo;
  const pteHi = cursor.hi;
  if (!cursor.literal(DOMAIN) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  const { pending } = state;
  const dropped = pending.add(kind, rid, iovaLo, iovaHi);
  if (dropped !== 0) state.orphan(dropped);
  const at = pending.count - 1;
  pending.pteLo[at] = pteLo;
  pending.pteHi[at] = pteHi;
  pending.domain[at] = cursor.lo;
  state.translation = 'on';
  if (kind === LOOKUP.hit) state.logsHits = true;
  else state.notesFill(rid);
  return LINE.folded;
}

export function parsePageHit(state: VtdState, line: QemuLine): number {
  return parseLookup(state, line, LOOKUP.hit);
}

export function parsePageUpdate(state: VtdState, line: QemuLine): number {
  return parseLookup(state, line, LOOKUP.update);
}

// IOTLB reset (reason: iotlb exceeds size limit)
// Logged right behind the update that found the cache full, under the same lock.
export function parseIotlbReset(state: VtdState, line: QemuLine): number {
  if (!line.cursor.find(SIZE_LIMIT)) return LINE.ignored;
  const at = state.pending.newestUpdate();
  if (at < 0) return LINE.malformed;
  state.pending.reset[at] = 1;
  return LINE.folded;
}

// source id 0x18, iova 0xfffff000
export function parsePassThrough(state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(PASS_THROUGH) || !requester(cursor)) return LINE.malformed;
  const rid = cursor.lo;
  if (!cursor.literal(PASS_THROUGH_IOVA) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  const dropped = state.pending.add(LOOKUP.passThrough, rid, cursor.lo, cursor.hi);
  if (dropped !== 0) state.orphan(dropped);
  return LINE.folded;
}

/** Number of low one bits of a page mask (`0xfff`: 12); -1 if the ones are not all at the bottom. */
function maskShift(lo: number, hi: number): number {
  if (hi !== 0) return lo !== -1 || (hi & (hi + 1)) !== 0 ? -1 : 64 - Math.clz32(hi);
  return (lo & (lo + 1)) !== 0 ? -1 : 32 - Math.clz32(lo);
}

// dev 00:03.00 iova 0xfffff000 -> gpa 0x10efee000 mask 0xfff
export function parseTranslate(state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(DEVICE)) return LINE.malformed;
  const rid = readBdf(cursor);
  if (rid === ABSENT || !cursor.literal(IOVA) || !cursor.hex()) return LINE.malformed;
  let iovaLo = cursor.lo;
  let iovaHi = cursor.hi;
  if (!cursor.literal(GPA) || !cursor.hex()) return LINE.malformed;
  const outLo = cursor.lo;
  const outHi = cursor.hi;
  if (!cursor.literal(MASK) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  const maskLo = cursor.lo;
  const maskHi = cursor.hi;
  const shift = maskShift(maskLo, maskHi);
  if (shift < 0) return LINE.malformed;

  const { pending } = state;
  const at = pending.find(rid, iovaLo, iovaHi, maskLo, maskHi);
  let domain = ABSENT;
  let perm = ABSENT;
  let outcome = 0;
  if (at < 0) outcome = silentOutcome(state, rid, iovaLo === outLo && iovaHi === outHi);
  else {
    iovaLo = pending.iovaLo[at]!;
    iovaHi = pending.iovaHi[at]!;
    if (pending.kind[at] === LOOKUP.passThrough) outcome = OUTCOME.bypass;
    else {
      const pteLo = pending.pteLo[at]!;
      domain = pending.domain[at]!;
      perm = pteLo & 0xfff;
      outcome = OUTCOME.known;
      if (pending.kind[at] === LOOKUP.hit) outcome |= OUTCOME.hit;
      if (pending.reset[at] !== 0) outcome |= OUTCOME.reset;
      const frameLo = pteLo & ~0xfff & ~maskLo;
      const frameHi = pending.pteHi[at]! & ENTRY_HIGH & ~maskHi;
      if (frameLo !== outLo || frameHi !== outHi) outcome |= OUTCOME.inconsistent;
    }
    pending.remove(at);
  }

  const row = line.sink.begin(STREAM_ID.dma, line.time, ABSENT, line.task, line.source);
  const columns = line.sink.rows.dma.columns;
  columns.rid[row] = rid;
  columns.domain[row] = domain;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.outLo[row] = outLo;
  columns.outHi[row] = outHi;
  columns.pageShift[row] = shift;
  columns.perm[row] = perm;
  columns.outcome[row] = outcome;
  return LINE.event;
}

/**
 * Outcome of a translation that no other line tells about. Where hits are logged it can't be one; where they are not, it is a
 * hit: a miss always logs its update. Untranslated accesses show by their output, the address itself.
 */
function silentOutcome(state: VtdState, rid: number, identity: boolean): number {
  if (state.translation === 'off') return OUTCOME.bypass;
  if (identity && (state.translation === 'unknown' || state.logsHits || !state.hasFilled(rid))) return OUTCOME.bypass;
  state.translation = 'on';
  return state.logsHits ? 0 : OUTCOME.known | OUTCOME.hit;
}

// IOTLB context update bus 0x0 devfn 0x18 high 0x402 low 0x10df75001 gen 0 -> gen 1
// In legacy mode bits 23:8 of the entry's high word are the domain id (VT-d spec 9.3).
export function parseContextUpdate(state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(CONTEXT_BUS) || !cursor.hex() || cursor.hi !== 0 || cursor.lo >>> 8 !== 0) return LINE.malformed;
  const bus = cursor.lo;
  if (!cursor.literal(CONTEXT_DEVFN) || !cursor.hex() || cursor.hi !== 0 || cursor.lo >>> 8 !== 0)
    return LINE.malformed;
  const rid = (bus << 8) | cursor.lo;
  if (!cursor.literal(CONTEXT_HIGH) || !cursor.hex()) return LINE.malformed;
  if (state.scalable !== false) return LINE.ignored;
  const row = line.sink.begin(STREAM_ID.attach, line.time, ABSENT, line.task, line.source);
  const columns = line.sink.rows.attach.columns;
  columns.kind[row] = ATTACH.attach;
  columns.device[row] = rid;
  columns.domain[row] = (cursor.lo >>> 8) & 0xffff;
  return LINE.event;
}

// sid 0x100 fault 6 addr 0x7ffdb000 write 0
export function parseFault(_state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(SID) || !requester(cursor)) return LINE.malformed;
  const rid = cursor.lo;
  if (!cursor.literal(FAULT) || !cursor.int()) return LINE.malformed;
  const reason = cursor.lo;
  if (!cursor.literal(ADDR) || !cursor.hex()) return LINE.malformed;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(WRITE) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  const row = line.sink.begin(STREAM_ID.fault, line.time, ABSENT, line.task, line.source);
  const columns = line.sink.rows.fault.columns;
  columns.rid[row] = rid;
  columns.reason[row] = reason;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.access[row] = cursor.lo === 0 ? ACCESS.read : ACCESS.write;
  return LINE.event;
}
