import { DIALECT, INV_FORM, RESET, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { ascii } from '../byte-cursor.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import { LINE } from './device-model.ts';
import type { QemuLine } from './device-model.ts';
import type { VtdState } from './vtd-state.ts';

/** The invalidation queue and the registers of QEMU's VT-d model. Descriptor layouts: VT-d spec 6.5.2. */

const DESCRIPTOR = ascii('invalidate desc type ');
const HIGH = ascii(' high 0x');
const LOW = ascii(' low 0x');
const TAIL = ascii('write tail ');
const SETUP = ascii('addr 0x');
const SETUP_SIZE = ascii(' size ');
const ENABLE = ascii('enable ');
const SCALABLE = ascii(' scalable ');

const words = { w0Lo: 0, w0Hi: 0, w1Lo: 0, w1Hi: 0 };

function writeCommand(line: QemuLine, form: number): number {
  const row = line.sink.begin(STREAM_ID.inv, line.time, ABSENT, line.task, line.source);
  const columns = line.sink.rows.inv.columns;
  columns.dialect[row] = DIALECT.vtd;
  columns.form[row] = form;
  columns.w0Lo[row] = words.w0Lo;
  columns.w0Hi[row] = words.w0Hi;
  columns.w1Lo[row] = words.w1Lo;
  columns.w1Hi[row] = words.w1Hi;
  return row;
}

function writeReset(line: QemuLine, reason: number): number {
  words.w0Lo = reason;
  words.w0Hi = 0;
  words.w1Lo = 0;
  words.w1Hi = 0;
  return writeCommand(line, INV_FORM.reset);
}

// invalidate desc type iotlb high 0xffff8040 low 0x400f2
// The type's name (which may hold blanks: `page group response`) only repeats the low bits.
export function parseDescriptor(state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(DESCRIPTOR) || !cursor.find(HIGH) || !cursor.hex()) return LINE.malformed;
  words.w1Lo = cursor.lo;
  words.w1Hi = cursor.hi;
  if (!cursor.literal(LOW) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  words.w0Lo = cursor.lo;
  words.w0Hi = cursor.hi;
  state.logsDescriptors = true;
  writeCommand(line, INV_FORM.words);
  return LINE.event;
}

// write tail 2
export function parseTail(_state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(TAIL) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  words.w0Lo = cursor.lo;
  words.w0Hi = 0;
  words.w1Lo = 0;
  words.w1Hi = 0;
  writeCommand(line, INV_FORM.doorbell);
  return LINE.event;
}

// addr 0x10817a000 size 256
export function parseQueueSetup(_state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(SETUP) || !cursor.hex()) return LINE.malformed;
  const addrLo = cursor.lo;
  const addrHi = cursor.hi;
  if (!cursor.literal(SETUP_SIZE) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  const entries = cursor.lo;
  const row = writeReset(line, RESET.queueSetup);
  const columns = line.sink.rows.inv.columns;
  columns.w1Lo[row] = addrLo;
  columns.w1Hi[row] = addrHi;
  columns.w2Lo[row] = entries;
  return LINE.event;
}

// enable 1
export function parseEnable(state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(ENABLE) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  const on = cursor.lo !== 0;
  state.translation = on ? 'on' : 'off';
  writeReset(line, on ? RESET.translationEnabled : RESET.translationDisabled);
  return LINE.event;
}

export function parseUnitReset(state: VtdState, line: QemuLine): number {
  state.translation = 'off';
  writeReset(line, RESET.unitReset);
  return LINE.event;
}

// addr 0x10df68000 scalable 0
export function parseRootTable(state: VtdState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(SETUP) || !cursor.hex()) return LINE.malformed;
  if (cursor.literal(SCALABLE) && cursor.int()) state.scalable = cursor.lo !== 0;
  return LINE.ignored;
}

/** A field of a decoded line: the text before it, whether it is hexadecimal, and where it goes in the descriptor. */
interface Field {
  readonly before: Uint8Array;
  /** Word of the descriptor and lowest bit; the value is or-ed in. */
  readonly word: 0 | 1;
  readonly shift: number;
  /** Bits of the field. */
  readonly bits: number;
}

function field(before: string, word: 0 | 1, shift: number, bits: number): Field {
  return { before: ascii(before), word, shift, bits };
}

/** A decoded line: the bits that its name stands for, and its fields in order. */
export interface DecodedCommand {
  readonly name: string;
  readonly bits: number;
  readonly fields: readonly Field[];
}

/**
 * Lines that QEMU logs behind the descriptor that they decode; used where the log lacks the descriptors themselves. The
 * granularity is in bits 5:4 of the low word. `cc_device` lines repeat `cc_devices` once per device.
 */
export const DECODED_COMMANDS: readonly DecodedCommand[] = [
  // context invalidate globally
  { name: 'vtd_inv_desc_cc_global', bits: 0x11, fields: [] },
  // context invalidate domain 0x4
  { name: 'vtd_inv_desc_cc_domain', bits: 0x21, fields: [field('domain 0x', 0, 16, 16)] },
  // context invalidate devices sid 0x20 fmask 0x0
  {
    name: 'vtd_inv_desc_cc_devices',
    bits: 0x31,
    fields: [field('sid 0x', 0, 32, 16), field(' fmask 0x', 0, 48, 2)],
  },
  // iotlb invalidate global
  { name: 'vtd_inv_desc_iotlb_global', bits: 0x12, fields: [] },
  // iotlb invalidate whole domain 0xb
  { name: 'vtd_inv_desc_iotlb_domain', bits: 0x22, fields: [field('domain 0x', 0, 16, 16)] },
  // iotlb invalidate domain 0x4 addr 0xffff8000 mask 0x0
  {
    name: 'vtd_inv_desc_iotlb_pages',
    bits: 0x32,
    fields: [field('domain 0x', 0, 16, 16), field(' addr 0x', 1, 0, 64), field(' mask 0x', 1, 0, 6)],
  },
  // iotlb invalidate domain 0x6 addr 0x100000000 mask 0x0 pasid 0x0
  {
    name: 'vtd_inv_desc_iotlb_pasid_pages',
    bits: 0x36,
    fields: [
      field('domain 0x', 0, 16, 16),
      field(' addr 0x', 1, 0, 64),
      field(' mask 0x', 1, 0, 6),
      field(' pasid 0x', 0, 32, 20),
    ],
  },
  // iotlb invalidate domain 0x6 pasid 0x0
  {
    name: 'vtd_inv_desc_iotlb_pasid',
    bits: 0x26,
    fields: [field('domain 0x', 0, 16, 16), field(' pasid 0x', 0, 32, 20)],
  },
  // wait invalidate status write addr 0x100042c04 data 0x2
  {
    name: 'vtd_inv_desc_wait_sw',
    bits: 0x25,
    fields: [field('addr 0x', 1, 0, 64), field(' data 0x', 0, 32, 32)],
  },
  // interrupt
  { name: 'vtd_inv_desc_wait_irq', bits: 0x15, fields: [] },
  // granularity 0x1 index 0x1 mask 0x0
  {
    name: 'vtd_inv_desc_iec',
    bits: 0x04,
    fields: [field('granularity 0x', 0, 4, 1), field(' index 0x', 0, 32, 16), field(' mask 0x', 0, 27, 5)],
  },
  { name: 'vtd_inv_desc_pasid_cache_gsi', bits: 0x37, fields: [] },
  // Domain selective PC invalidation domain 0x6
  { name: 'vtd_inv_desc_pasid_cache_dsi', bits: 0x07, fields: [field('domain 0x', 0, 16, 16)] },
  // PASID selective PC invalidation domain 0x6 pasid 0x0
  {
    name: 'vtd_inv_desc_pasid_cache_psi',
    bits: 0x17,
    fields: [field('domain 0x', 0, 16, 16), field(' pasid 0x', 0, 32, 20)],
  },
];

export function parseDecoded(command: DecodedCommand, state: VtdState, line: QemuLine): number {
  if (state.logsDescriptors) return LINE.folded;
  words.w0Lo = command.bits;
  words.w0Hi = 0;
  words.w1Lo = 0;
  words.w1Hi = 0;
  for (let i = 0; i < command.fields.length; i++) {
    if (!readField(line.cursor, command.fields[i]!, i === 0)) return LINE.malformed;
  }
  writeCommand(line, INV_FORM.decoded);
  return LINE.event;
}

/** The first field of a line is searched for, the others follow at once. */
function readField(cursor: ByteCursor, wanted: Field, first: boolean): boolean {
  if (!(first ? cursor.find(wanted.before) : cursor.literal(wanted.before)) || !cursor.hex()) return false;
  const { bits, shift } = wanted;
  let { lo, hi } = cursor;
  if (bits <= 32) {
    if (hi !== 0 || (bits < 32 && lo >>> bits !== 0)) return false;
    // Fields lie within one 32-bit half.
    if (shift >= 32) {
      hi = lo << (shift - 32);
      lo = 0;
    } else lo <<= shift;
  }
  if (wanted.word === 0) {
    words.w0Lo |= lo;
    words.w0Hi |= hi;
  } else {
    words.w1Lo |= lo;
    words.w1Hi |= hi;
  }
  return true;
}
