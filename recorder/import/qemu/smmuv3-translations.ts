import { ATTACH, OUTCOME, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { ascii } from '../byte-cursor.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import { LINE } from './device-model.ts';
import type { QemuLine } from './device-model.ts';
import { finishCommand } from './smmuv3-commands.ts';
import { SMMU_LOOKUP } from './smmuv3-lookups.ts';
import type { Smmuv3State } from './smmuv3-state.ts';

/** Lookups, translations and events of QEMU's SMMUv3 (hw/arm/trace-events, hw/arm/smmu-common.c, hw/arm/smmuv3.c). */

const ASID = ascii(' asid=');
const VMID = ascii(' vmid=');
const ADDR = ascii(' addr=0x');
const TG = ascii(' tg=');
const LEVEL = ascii(' level=');
const SID = ascii(' sid=0x');
const IOVA = ascii(' iova=0x');
const IOVA_COLON = ascii(' iova:0x');
const TRANSLATED = ascii(' translated=0x');
const PERM = ascii(' perm=0x');
const STAGE = ascii(' stage=');
const SID_FIRST = ascii('sid=0x');
const EVENT = ascii('SMMU_EVT_');
/** Stage 1 through stage 2. */
const NESTED = 3;

/** Events by number (Arm IHI 0070, 7.3), by the names that QEMU has for them. */
const REASONS: ReadonlyMap<string, number> = new Map([
  ['F_UUT', 0x01],
  ['C_BAD_STREAMID', 0x02],
  ['F_STE_FETCH', 0x03],
  ['C_BAD_STE', 0x04],
  ['F_BAD_ATS_TREQ', 0x05],
  ['F_STREAM_DISABLED', 0x06],
  ['F_TRANS_FORBIDDEN', 0x07],
  ['C_BAD_SUBSTREAMID', 0x08],
  ['F_CD_FETCH', 0x09],
  ['C_BAD_CD', 0x0a],
  ['F_WALK_EABT', 0x0b],
  ['F_TRANSLATION', 0x10],
  ['F_ADDR_SIZE', 0x11],
  ['F_ACCESS', 0x12],
  ['F_PERMISSION', 0x13],
  ['F_TLB_CONFLICT', 0x20],
  ['F_CFG_CONFLICT', 0x21],
  ['E_PAGE_REQ', 0x24],
  ['E_PAGE_REQUEST', 0x24],
]);

/** Of the ids just read. */
const tags = { domain: 0, stage2: false };

/** ` asid=1 vmid=0`; an ASID of -1 means stage 2 alone. QEMU before 8.1 prints no VMID. */
function readTags(cursor: ByteCursor): boolean {
  if (!cursor.find(ASID) || !cursor.int() || cursor.lo >= 0x10000 || cursor.lo < -1) return false;
  // Printed as signed since stage 2 came; 65535 is -1 in an unsigned field of that time.
  const asid = cursor.lo;
  let vmid = 0;
  if (cursor.literal(VMID)) {
    if (!cursor.int() || cursor.lo >= 0x10000 || cursor.lo < -1) return false;
    vmid = Math.max(0, cursor.lo);
  }
  tags.stage2 = asid < 0;
  tags.domain = Math.max(0, asid) | (vmid << 16);
  return true;
}

// IOTLB cache MISS asid=1 vmid=0 addr=0xfffff040 hit=0 miss=1 hit rate=0
function parseLookup(state: Smmuv3State, line: QemuLine, kind: number): number {
  const { cursor } = line;
  if (!readTags(cursor) || !cursor.literal(ADDR) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  if (state.command.executed) finishCommand(state, line);
  const dropped = state.lookups.add(kind, tags.domain, tags.stage2, cursor.lo, cursor.hi, 12);
  if (dropped !== 0) state.orphan(dropped);
  if (kind === SMMU_LOOKUP.hit) state.logsHits = true;
  else state.logsMisses = true;
  return LINE.folded;
}

export function parseMiss(state: Smmuv3State, line: QemuLine): number {
  return parseLookup(state, line, SMMU_LOOKUP.miss);
}

export function parseHit(state: Smmuv3State, line: QemuLine): number {
  return parseLookup(state, line, SMMU_LOOKUP.hit);
}

// IOTLB ++ asid=1 vmid=0 addr=0xfffff000 tg=1 level=3
export function parseInsert(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!readTags(cursor) || !cursor.literal(ADDR) || !cursor.hex()) return LINE.malformed;
  const { lo, hi } = cursor;
  if (!cursor.literal(TG) || !cursor.int() || cursor.lo < 1 || cursor.lo > 3) return LINE.malformed;
  const granule = 10 + 2 * cursor.lo;
  if (!cursor.literal(LEVEL) || !cursor.int() || cursor.lo < 0 || cursor.lo > 3) return LINE.malformed;
  const shift = granule + (granule - 3) * (3 - cursor.lo);
  const { lookups } = state;
  const { domain } = tags;
  if (state.command.executed) finishCommand(state, line);
  state.logsMisses = true;
  let at = lookups.findMiss(domain, lo, hi, shift);
  if (at < 0) {
    const dropped = lookups.add(SMMU_LOOKUP.inserted, domain, tags.stage2, lo, hi, shift);
    if (dropped !== 0) state.orphan(dropped);
    at = lookups.count - 1;
  } else {
    lookups.kind[at] = SMMU_LOOKUP.inserted;
    // A miss is logged with its whole address, or (QEMU before 9.2) with that of its granule.
    lookups.exact[at] = granule;
  }
  lookups.pageShift[at] = shift;
  lookups.reset[at] = state.emptied ? 1 : 0;
  state.emptied = false;
  state.pageSizes.inserted(domain, lo, hi, granule, shift);
  return LINE.folded;
}

/** `NAME sid=0x40`, with the cursor behind it; -1 if it is not there. A stream id is the requester's. */
function readStream(cursor: ByteCursor): number {
  return cursor.find(SID) && cursor.hex() && cursor.hi === 0 ? cursor.lo : -1;
}

// smmuv3-iommu-memory-region-64-5 sid=0x40 iova=0xfffff040 translated=0x8090040 perm=0x3 stage=1
export function parseSuccess(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  const sid = readStream(cursor);
  if (sid === -1 || !cursor.literal(IOVA) || !cursor.hex()) return LINE.malformed;
  const iovaLo = cursor.lo;
  const iovaHi = cursor.hi;
  if (!cursor.literal(TRANSLATED) || !cursor.hex()) return LINE.malformed;
  const outLo = cursor.lo;
  const outHi = cursor.hi;
  if (!cursor.literal(PERM) || !cursor.hex()) return LINE.malformed;
  const perm = cursor.lo;
  let stage = 1;
  if (cursor.literal(STAGE)) {
    if (!cursor.int()) return LINE.malformed;
    stage = cursor.lo;
  }
  if (!cursor.atBoundary()) return LINE.malformed;

  const { lookups } = state;
  let domain = state.domainOf.get(sid) ?? ABSENT;
  let at = lookups.find(domain, iovaLo, iovaHi);
  let outcome = 0;
  let shift = -1;
  if (at >= 0) {
    if (stage === NESTED) at = lookups.dropWalks(at);
    domain = lookups.domain[at]!;
    outcome = OUTCOME.known;
    if (lookups.kind[at] === SMMU_LOOKUP.hit) outcome |= OUTCOME.hit;
    if (lookups.reset[at] !== 0) outcome |= OUTCOME.reset;
    shift = lookups.pageShift[at]!;
    lookups.remove(at);
    if (state.domainOf.get(sid) !== domain) state.domainOf.set(sid, domain);
    if (state.attached.get(sid) !== domain) writeAttach(state, line, sid, domain);
  } else if (state.logsMisses && !state.logsHits) outcome = OUTCOME.known | OUTCOME.hit;
  if (shift < 0) shift = domain < 0 ? 12 : state.pageSizes.sizeAt(domain, iovaLo, iovaHi);

  const row = writeAccess(state, line, sid, domain, iovaLo, iovaHi, outcome);
  const { columns } = line.sink.rows.dma;
  // The output is that of the page's first byte.
  columns.outLo[row] = shift >= 32 ? 0 : outLo & (-1 << shift);
  columns.outHi[row] = shift > 32 ? outHi & (-1 << (shift - 32)) : outHi;
  columns.pageShift[row] = shift;
  columns.perm[row] = perm;
  return LINE.event;
}

// NAME sid=0x300 STE bypass iova:0xfffff040 is_write=1
// What follows `is_write` is whether any access is allowed.
function parseUntranslated(state: Smmuv3State, line: QemuLine, outcome: number): number {
  const { cursor } = line;
  const sid = readStream(cursor);
  if (sid === -1 || !cursor.find(IOVA_COLON) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  const { lo, hi } = cursor;
  const row = writeAccess(state, line, sid, ABSENT, lo, hi, outcome);
  const { columns } = line.sink.rows.dma;
  if (outcome === OUTCOME.bypass) {
    columns.outLo[row] = lo & ~0xfff;
    columns.outHi[row] = hi;
    columns.pageShift[row] = 12;
  }
  return LINE.event;
}

// NAME sid=0x300 bypass (smmu disabled) iova:0xfffff040 is_write=1
export function parseBypass(state: Smmuv3State, line: QemuLine): number {
  return parseUntranslated(state, line, OUTCOME.bypass);
}

// NAME sid=0x300 abort on iova:0xfffff040 is_write=0
export function parseAbort(state: Smmuv3State, line: QemuLine): number {
  return parseUntranslated(state, line, OUTCOME.fault);
}

function writeAccess(
  state: Smmuv3State,
  line: QemuLine,
  sid: number,
  domain: number,
  iovaLo: number,
  iovaHi: number,
  outcome: number,
): number {
  state.newest = line.time;
  const row = line.sink.begin(STREAM_ID.dma, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.dma;
  columns.rid[row] = sid;
  columns.domain[row] = domain;
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.outcome[row] = outcome;
  return row;
}

function writeAttach(state: Smmuv3State, line: QemuLine, sid: number, domain: number): void {
  state.attached.set(sid, domain);
  const row = line.sink.begin(STREAM_ID.attach, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.attach;
  columns.kind[row] = ATTACH.attach;
  columns.device[row] = sid;
  columns.domain[row] = domain;
}

// Config cache MISS for sid=0x40 (hits=0, misses=1, hit rate=0)
// The stream's entries were read anew: its domain may be another.
export function parseConfigMiss(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.find(SID_FIRST) || !cursor.hex() || cursor.hi !== 0) return LINE.malformed;
  state.domainOf.delete(cursor.lo);
  return LINE.ignored;
}

// SMMU_EVT_F_TRANSLATION sid=0x100
// The line has no address; it is that of the stream's lookup that inserted nothing.
export function parseEvent(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(EVENT) || !cursor.token()) return LINE.malformed;
  let name = '';
  for (let i = cursor.tokenStart; i < cursor.tokenEnd; i++) name += String.fromCharCode(cursor.bytes[i]!);
  if (!cursor.literal(SID) || !cursor.hex() || cursor.hi !== 0 || !cursor.atBoundary()) return LINE.malformed;
  const sid = cursor.lo;
  const { lookups } = state;
  const domain = state.domainOf.get(sid) ?? ABSENT;
  const at = lookups.findFailed(domain);
  const reason = REASONS.get(name) ?? 0;
  const lo = at < 0 ? 0 : lookups.addrLo[at]!;
  const hi = at < 0 ? 0 : lookups.addrHi[at]!;
  if (at >= 0) {
    writeAccess(state, line, sid, lookups.domain[at]!, lo, hi, OUTCOME.fault | OUTCOME.known);
    lookups.remove(at);
  }
  state.newest = line.time;
  const row = line.sink.begin(STREAM_ID.fault, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.fault;
  columns.rid[row] = sid;
  columns.reason[row] = reason;
  columns.iovaLo[row] = lo;
  columns.iovaHi[row] = hi;
  return LINE.event;
}
