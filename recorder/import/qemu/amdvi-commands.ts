import { AMD_COMMAND } from '../../../traces/dialects/amd-fields.ts';
import { DIALECT, INV_FORM, RESET } from '../../../traces/schema.ts';
import { ascii } from '../byte-cursor.ts';
import { readBdf } from './bdf.ts';
import { LINE } from './device-model.ts';
import type { QemuLine } from './device-model.ts';
import { flushLookup, writeLooseReset } from './amdvi-state.ts';
import type { AmdviState } from './amdvi-state.ts';
import { CommandWords, writeDoorbell, writeInv, writeReset } from './inv-rows.ts';

/**
 * The command buffer and registers of QEMU's AMD IOMMU (hw/i386/amd_iommu.c). Lines print a few fields of each command: of an
 * invalidation of pages only the domain, of interrupt tables and device caches nothing.
 */

const DOMAIN = ascii('domain 0x');
const DEVICE = ascii('devid: ');
const STORE = ascii('store address 0x');
const DATA = ascii(' and store data 0x');
const ADDR = ascii(' addr 0x');
const SIZE = ascii(', size ');
const VALUE = ascii(', val 0x');

/** Register offsets (AMD I/O Virtualization Technology specification, 3.4). */
const CONTROL = 0x18;
const COMMAND_BASE = 0x08;
const COMMAND_TAIL = 0x2008;
/** S with an address that means everything, as Linux writes it (`CMD_INV_IOMMU_ALL_PAGES_ADDRESS`). */
const ALL_PAGES_LO = 0xfffff001 | 0;
const ALL_PAGES_HI = 0x7fffffff;

const words = new CommandWords();

function writeCommand(state: AmdviState, line: QemuLine, code: number): number {
  flushLookup(state, line);
  writeLooseReset(state, line);
  words.w0Hi |= code << 28;
  writeInv(line, line.time, DIALECT.amd, INV_FORM.decoded, words);
  return LINE.event;
}

// AMD-Vi pages for domain 0xa invalidated
export function parsePages(state: AmdviState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.find(DOMAIN) || !cursor.hex() || cursor.hi !== 0 || cursor.lo >>> 16 !== 0) return LINE.malformed;
  words.clear();
  words.w0Hi = cursor.lo;
  words.w1Lo = ALL_PAGES_LO;
  words.w1Hi = ALL_PAGES_HI;
  return writeCommand(state, line, AMD_COMMAND.pages);
}

// device table entry for devid: 00:07.0 invalidated
export function parseDeviceEntry(state: AmdviState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.find(DEVICE)) return LINE.malformed;
  const rid = readBdf(cursor);
  if (rid < 0) return LINE.malformed;
  words.clear();
  words.w0Lo = rid;
  return writeCommand(state, line, AMD_COMMAND.devtabEntry);
}

// completion wait requested with store address 0x1021c4000 and store data 0x4b
export function parseWait(state: AmdviState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.find(STORE) || !cursor.hex()) return LINE.malformed;
  words.clear();
  // Without an address it can't have stored anything: an interrupt only.
  words.w0Lo = (cursor.lo & ~7) | (cursor.lo === 0 && cursor.hi === 0 ? 0 : 1);
  words.w0Hi = cursor.hi & 0xfffff;
  if (!cursor.literal(DATA) || !cursor.hex() || !cursor.atBoundary()) return LINE.malformed;
  words.w1Lo = cursor.lo;
  words.w1Hi = cursor.hi;
  return writeCommand(state, line, AMD_COMMAND.completionWait);
}

/** Lines without fields: the command's code is all that is known. */
export function parseBare(code: number): (state: AmdviState, line: QemuLine) => number {
  return (state, line) => {
    words.clear();
    if (code === AMD_COMMAND.iotlbPages) {
      words.w1Lo = ALL_PAGES_LO;
      words.w1Hi = ALL_PAGES_HI;
    }
    if (code !== AMD_COMMAND.all || state.looseReset < 0) return writeCommand(state, line, code);
    // Logged after the reset of the cache that it asks for, whose line was counted as the event.
    state.looseReset = -1;
    writeCommand(state, line, code);
    return LINE.folded;
  };
}

// AMDVI_MMIO_COMMAND_TAIL write addr 0x2008, size 4, val 0x960, offset 0x0
export function parseRegisterWrite(state: AmdviState, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.find(ADDR) || !cursor.hex()) return LINE.malformed;
  const register = cursor.hi === 0 ? cursor.lo : -1;
  if (!cursor.literal(SIZE) || !cursor.int()) return LINE.malformed;
  const size = cursor.lo;
  if (!cursor.literal(VALUE) || !cursor.hex()) return LINE.malformed;
  const { lo, hi } = cursor;
  if (register === COMMAND_TAIL) {
    flushLookup(state, line);
    writeLooseReset(state, line);
    // A byte offset; a command has 16.
    writeDoorbell(line, DIALECT.amd, (lo >>> 4) & 0x7fff);
    return LINE.event;
  }
  if (register === COMMAND_BASE && size === 8) {
    words.clear();
    words.w0Lo = RESET.queueSetup;
    words.w1Lo = lo & ~0xfff;
    words.w1Hi = hi & 0xfffff;
    words.w2Lo = 1 << ((hi >>> 24) & 15);
    flushLookup(state, line);
    writeLooseReset(state, line);
    writeInv(line, line.time, DIALECT.amd, INV_FORM.reset, words);
    return LINE.event;
  }
  if (register !== CONTROL) return LINE.ignored;
  const enabled = (lo & 1) !== 0;
  if (enabled === state.enabled) return LINE.ignored;
  state.enabled = enabled;
  flushLookup(state, line);
  writeLooseReset(state, line);
  writeReset(line, line.time, DIALECT.amd, enabled ? RESET.translationEnabled : RESET.translationDisabled);
  return LINE.event;
}
