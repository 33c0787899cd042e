import { OUTCOME, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { ascii } from '../byte-cursor.ts';
import { flushFault, flushLookup, writeLooseReset } from './amdvi-state.ts';
import type { AmdviState } from './amdvi-state.ts';
import { readBdf } from './bdf.ts';
import { LINE } from './device-model.ts';
import type { QemuLine } from './device-model.ts';

/**
 * Lookups and translations of QEMU's AMD IOMMU (hw/i386/amd_iommu.c). The cache holds 4 KiB pages of a device; an entry's output
 * is the first byte of the page, of whatever size, that the page table held.
 */

const UPDATE = ascii('update iotlb domid 0x');
const UPDATE_DEVICE = ascii(' devid: ');
const HIT = ascii('hit iotlb devid ');
const RESULT = ascii('devid: ');
const GPA = ascii(' gpa 0x');
const HPA = ascii(' hpa 0x');
const FAULT = ascii('guest physical address 0x');

const translation = { rid: 0, iovaLo: 0, iovaHi: 0, outLo: 0, outHi: 0 };

/** `00:07.0 gpa 0x1015b0800 hpa 0x109e00000`. */
function readTranslation(line: QemuLine): boolean {
  const { cursor } = line;
  translation.rid = readBdf(cursor);
  if (translation.rid < 0 || !cursor.literal(GPA) || !cursor.hex()) return false;
  translation.iovaLo = cursor.lo;
  translation.iovaHi = cursor.hi;
  if (!cursor.literal(HPA) || !cursor.hex() || !cursor.atBoundary()) return false;
  translation.outLo = cursor.lo;
  translation.outHi = cursor.hi;
  return true;
}

function openLookup(state: AmdviState, line: QemuLine, domain: number, outcome: number): void {
  flushLookup(state, line);
  writeLooseReset(state, line);
  const { lookup } = state;
  lookup.open = true;
  lookup.time = line.time;
  lookup.task = line.task;
  lookup.rid = translation.rid;
  lookup.domain = domain;
  lookup.iovaLo = translation.iovaLo;
  lookup.iovaHi = translation.iovaHi;
  lookup.outLo = translation.outLo;
  lookup.outHi = translation.outHi;
  lookup.outcome = outcome;
}

// update iotlb domid 0xa devid: 00:07.0 gpa 0x1015b0000 hpa 0x109e00000
export function parseUpdate(state: AmdviState, line: QemuLine): number {
  const { cursor } = line;
  cursor.skipSpaces();
  if (!cursor.literal(UPDATE) || !cursor.hex() || cursor.hi !== 0 || cursor.lo >>> 16 !== 0) return LINE.malformed;
  const domain = cursor.lo;
  if (!cursor.literal(UPDATE_DEVICE) || !readTranslation(line)) return LINE.malformed;
  openLookup(state, line, domain, OUTCOME.known);
  return LINE.event;
}

// hit iotlb devid 00:07.0 gpa 0x1015b0800 hpa 0x109e00000
export function parseHit(state: AmdviState, line: QemuLine): number {
  if (!line.cursor.literal(HIT) || !readTranslation(line)) return LINE.malformed;
  state.logsHits = true;
  openLookup(state, line, ABSENT, OUTCOME.known | OUTCOME.hit);
  return LINE.event;
}

// devid: 00:07.0 gpa 0x1015b0800 hpa 0x109e00000
export function parseResult(state: AmdviState, line: QemuLine): number {
  if (!line.cursor.literal(RESULT) || !readTranslation(line)) return LINE.malformed;
  const { lookup, written, fault } = state;
  const { rid, iovaLo, iovaHi, outLo, outHi } = translation;
  if (lookup.open && lookup.rid === rid && lookup.iovaLo === iovaLo && lookup.iovaHi === iovaHi) {
    if (lookup.outLo !== outLo || lookup.outHi !== outHi) lookup.outcome |= OUTCOME.inconsistent;
    flushLookup(state, line);
    written.awaited = false;
    return LINE.folded;
  }
  if (written.awaited && written.rid === rid && written.iovaLo === iovaLo && written.iovaHi === iovaHi) {
    written.awaited = false;
    return LINE.folded;
  }
  flushLookup(state, line);
  writeLooseReset(state, line);
  let outcome = 0;
  if (fault?.lo === iovaLo && fault.hi === iovaHi) {
    flushFault(state, line, rid);
    outcome = OUTCOME.fault | OUTCOME.known;
  } else if (outLo === 0 && outHi === 0 && (iovaHi !== 0 || iovaLo >>> 12 !== 0)) {
    // The entry was empty: refused, without a line of its own.
    outcome = OUTCOME.fault | OUTCOME.known;
  } else if (((outLo ^ iovaLo) & ~0xfff) === 0 && outHi === iovaHi && !state.domainOf.has(rid)) {
    outcome = OUTCOME.bypass;
  } else if (!state.logsHits) outcome = OUTCOME.known | OUTCOME.hit;
  const row = line.sink.begin(STREAM_ID.dma, line.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.dma;
  columns.rid[row] = rid;
  columns.domain[row] = outcome === OUTCOME.bypass ? ABSENT : (state.domainOf.get(rid) ?? ABSENT);
  columns.iovaLo[row] = iovaLo;
  columns.iovaHi[row] = iovaHi;
  columns.outLo[row] = outLo;
  columns.outHi[row] = outHi;
  columns.outcome[row] = outcome;
  return LINE.event;
}

// error: page fault accessing guest physical address 0x900000000
// The translation that comes next names the device.
export function parsePageFault(state: AmdviState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.find(FAULT) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  flushLookup(state, line);
  writeLooseReset(state, line);
  flushFault(state, line, ABSENT);
  state.fault = { lo: cursor.lo, hi: cursor.hi, time: line.time };
  return LINE.event;
}

// IOTLB exceed size limit - reset
// For any reason; when the cache is full, right behind the update that it makes room for.
export function parseReset(state: AmdviState, line: QemuLine): number {
  if (state.lookup.open && (state.lookup.outcome & OUTCOME.hit) === 0) {
    state.lookup.outcome |= OUTCOME.reset;
    return LINE.folded;
  }
  writeLooseReset(state, line);
  state.looseReset = line.time;
  return LINE.event;
}
