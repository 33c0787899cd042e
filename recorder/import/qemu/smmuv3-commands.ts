import { SMMUV3_OPCODE, smmuIsTlbiRange } from '../../../traces/dialects/smmuv3-fields.ts';
import { DIALECT, INV_FORM, RESET } from '../../../traces/schema.ts';
import { ByteTable } from '../byte-table.ts';
import { ascii } from '../byte-cursor.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import { LINE } from './device-model.ts';
import type { QemuLine } from './device-model.ts';
import { CommandWords, writeDoorbell, writeInv, writeReset } from './inv-rows.ts';
import type { Smmuv3State } from './smmuv3-state.ts';

/**
 * The command queue of QEMU's SMMUv3 (hw/arm/smmuv3.c, `smmuv3_cmdq_consume`). A command is several lines: the queue's indices,
 * its name, what it did; it is over when the next one or the end of the queue comes. The lines hold fields, no words; a range is
 * logged as the powers of two that QEMU cuts it into.
 */

const O = SMMUV3_OPCODE;
/** What QEMU calls each command (hw/arm/smmuv3-internal.h, `smmu_cmd_string`), without `SMMU_CMD_`. */
const COMMANDS: readonly (readonly [string, number])[] = [
  ['PREFETCH_CONFIG', O.prefetchConfig],
  ['PREFETCH_ADDR', O.prefetchAddress],
  ['CFGI_STE', O.cfgiSte],
  ['CFGI_STE_RANGE', O.cfgiSteRange],
  ['CFGI_ALL', O.cfgiSteRange],
  ['CFGI_CD', O.cfgiCd],
  ['CFGI_CD_ALL', O.cfgiCdAll],
  ['TLBI_NH_ALL', O.tlbiNhAll],
  ['TLBI_NH_ASID', O.tlbiNhAsid],
  ['TLBI_NH_VA', O.tlbiNhVa],
  ['TLBI_NH_VAA', O.tlbiNhVaa],
  ['TLBI_EL3_ALL', O.tlbiEl3All],
  ['TLBI_EL3_VA', O.tlbiEl3Va],
  ['TLBI_EL2_ALL', O.tlbiEl2All],
  ['TLBI_EL2_ASID', O.tlbiEl2Asid],
  ['TLBI_EL2_VA', O.tlbiEl2Va],
  ['TLBI_EL2_VAA', O.tlbiEl2Vaa],
  ['TLBI_S12_VMALL', O.tlbiS12Vmall],
  ['TLBI_S2_IPA', O.tlbiS2Ipa],
  ['TLBI_NSNH_ALL', O.tlbiNsnhAll],
  ['ATC_INV', O.atcInv],
  ['PRI_RESP', O.priResp],
  ['RESUME', O.resume],
  ['STALL_TERM', O.stallTerm],
  ['SYNC', O.sync],
];

const NAMES = new ByteTable();
const OPCODES = COMMANDS.map(([name, opcode]) => {
  const bytes = ascii(`SMMU_CMD_${name}`);
  NAMES.add(bytes, 0, bytes.length);
  return opcode;
});

const PROD = ascii('prod=');
const CONS = ascii(' cons=');
const ARROW = ascii('<--- ');
const VMID = ascii('vmid=');
const ASID = ascii('asid=');
const ASID_AFTER = ascii(' asid=');
const ADDR = ascii(' addr=0x');
const TG = ascii(' tg=');
const PAGES = ascii(' num_pages=0x');
const TTL = ascii(' ttl=');
const LEAF = ascii(' leaf=');
const STREAM = ascii('streamid=');
const SID = ascii('sid=0x');
const START = ascii('start=0x');
const END = ascii(' - end=0x');
const VMID_AFTER = ascii(' vmid=');

const words = new CommandWords();

// prod=6 cons=4 prod.wrap=0 cons.wrap=0
// One line before each command; the first of a round follows a write of the producer index.
export function parseConsume(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(PROD) || !cursor.int()) return LINE.malformed;
  const producer = cursor.lo;
  if (!cursor.literal(CONS) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  finishCommand(state, line);
  if (state.producer === producer) return LINE.folded;
  state.producer = producer;
  writeDoorbell(line, DIALECT.smmuv3, producer);
  state.newest = line.time;
  return LINE.event;
}

// prod:6, cons:6, prod_wrap:0, cons_wrap:0
// Error on SMMU_CMD_CFGI_STE command execution: 1
export function parseQueueEnd(state: Smmuv3State, line: QemuLine): number {
  finishCommand(state, line);
  state.producer = -1;
  return LINE.folded;
}

// <--- SMMU_CMD_TLBI_NH_VA
export function parseOpcode(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(ARROW) || !cursor.token() || !cursor.atBoundary()) return LINE.malformed;
  finishCommand(state, line);
  const command = NAMES.find(cursor.bytes, cursor.tokenStart, cursor.tokenEnd);
  // An opcode that the architecture does not define has the name `INVALID`.
  if (command < 0) return LINE.unknown;
  const opcode = OPCODES[command]!;
  state.command.start(opcode, line.time, line.task);
  // What it names stands in the lines that follow, which are then the event.
  return smmuIsTlbiRange(opcode) ? LINE.folded : LINE.event;
}

/** -1 stands for any. */
function idField(cursor: ByteCursor): number {
  return cursor.int() && cursor.lo < 0x10000 && cursor.lo >= -1 ? Math.max(0, cursor.lo) : -1;
}

// vmid=0 asid=1 addr=0xffff6000 tg=1 num_pages=0x1 ttl=3 leaf=1 stage=1
// QEMU before 9.1 prints no stage.
export function parseRange(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  const { command } = state;
  if (!cursor.literal(VMID)) return LINE.malformed;
  const vmid = idField(cursor);
  if (vmid < 0 || !cursor.literal(ASID_AFTER)) return LINE.malformed;
  const asid = idField(cursor);
  if (asid < 0 || !cursor.literal(ADDR) || !cursor.hex()) return LINE.malformed;
  const { lo, hi } = cursor;
  if (!cursor.literal(TG) || !cursor.int() || cursor.lo < 0 || cursor.lo > 3) return LINE.malformed;
  const tg = cursor.lo;
  if (!cursor.literal(PAGES) || !cursor.hex() || cursor.hi >>> 20 !== 0) return LINE.malformed;
  const granules = (cursor.hi >>> 0) * 0x100000000 + (cursor.lo >>> 0);
  if (!cursor.literal(TTL) || !cursor.int() || cursor.lo < 0 || cursor.lo > 3) return LINE.malformed;
  const ttl = cursor.lo;
  if (!cursor.literal(LEAF) || !cursor.int() || !cursor.atBoundary()) return LINE.malformed;
  if (command.opcode < 0 || granules === 0) return LINE.ignored;
  const first = command.pieces.length === 0;
  command.executed = true;
  command.w0Hi = vmid | (asid << 16);
  command.w1Lo = (cursor.lo !== 0 ? 1 : 0) | (ttl << 8) | (tg << 10);
  if (!command.addPiece(lo, hi, granules)) return LINE.ignored;
  return first && smmuIsTlbiRange(command.opcode) ? LINE.event : LINE.folded;
}

// asid=1
export function parseAsid(state: Smmuv3State, line: QemuLine): number {
  if (!line.cursor.literal(ASID)) return LINE.malformed;
  const asid = idField(line.cursor);
  if (asid < 0) return LINE.malformed;
  return details(state, (state.command.w0Hi & 0xffff) | (asid << 16));
}

// vmid=0
export function parseVmid(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (cursor.pos >= cursor.end) return details(state, state.command.w0Hi);
  if (!cursor.literal(VMID)) return LINE.malformed;
  const vmid = idField(cursor);
  return vmid < 0 ? LINE.malformed : details(state, (state.command.w0Hi & ~0xffff) | vmid);
}

// IOTLB invalidate asid=1 vmid=0
export function parseAsidVmid(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.find(ASID)) return LINE.malformed;
  const asid = idField(cursor);
  if (asid < 0) return LINE.malformed;
  let vmid = 0;
  if (cursor.literal(VMID_AFTER)) vmid = idField(cursor);
  return vmid < 0 ? LINE.malformed : details(state, vmid | (asid << 16));
}

// streamid= 0x40
export function parseSte(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(STREAM)) return LINE.malformed;
  cursor.skipSpaces();
  return cursor.hex0x() && cursor.hi === 0 ? details(state, cursor.lo) : LINE.malformed;
}

// sid=0x40
export function parseCd(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  return cursor.literal(SID) && cursor.hex() && cursor.hi === 0 ? details(state, cursor.lo) : LINE.malformed;
}

// start=0x0 - end=0xffffffff
export function parseSteRange(state: Smmuv3State, line: QemuLine): number {
  const { cursor } = line;
  if (!cursor.literal(START) || !cursor.hex() || cursor.hi !== 0) return LINE.malformed;
  const first = cursor.lo >>> 0;
  if (!cursor.literal(END) || !cursor.hex() || cursor.hi !== 0) return LINE.malformed;
  const streams = (cursor.lo >>> 0) - first + 1;
  const order = Math.log2(streams);
  if (streams < 2 || !Number.isInteger(order)) return LINE.malformed;
  state.command.w1Lo = order - 1;
  return details(state, first | 0);
}

/** What a command did, said again: the effect is that of the command. */
export function parseEffect(state: Smmuv3State): number {
  if (state.command.opcode < 0) return LINE.ignored;
  state.command.executed = true;
  return LINE.folded;
}

// IOTLB invalidate all
// By a command; or, when the cache is full, right before the insertion that needs room.
export function parseInvalidateAll(state: Smmuv3State): number {
  const { command } = state;
  if (command.opcode === O.tlbiNsnhAll || command.opcode === O.tlbiNhAll) command.executed = true;
  else state.emptied = true;
  return LINE.folded;
}

export function parseUnitReset(state: Smmuv3State, line: QemuLine): number {
  finishCommand(state, line);
  state.domainOf.clear();
  writeReset(line, line.time, DIALECT.smmuv3, RESET.unitReset);
  state.newest = line.time;
  return LINE.event;
}

function details(state: Smmuv3State, w0Hi: number): number {
  if (state.command.opcode < 0) return LINE.ignored;
  state.command.executed = true;
  state.command.w0Hi = w0Hi;
  return LINE.folded;
}

/** Writes the command that the lines so far were about. */
export function finishCommand(state: Smmuv3State, line: QemuLine): void {
  const { command } = state;
  if (command.opcode < 0) return;
  const { pieces } = command;
  const { opcode } = command;
  command.opcode = -1;
  if (pieces.length === 0 && smmuIsTlbiRange(opcode)) {
    // An EL2 or EL3 command, which QEMU does not execute; or what it named was not logged.
    state.orphanCommand();
    return;
  }
  const time = Math.max(command.time, state.newest);
  state.newest = time;
  words.clear();
  words.w0Lo = command.w0Lo;
  words.w0Hi = command.w0Hi;
  words.w1Lo = command.w1Lo;
  words.w1Hi = command.w1Hi;
  const tg = (command.w1Lo >>> 10) & 3;
  if (pieces.length === 0) writeInv(line, time, DIALECT.smmuv3, INV_FORM.decoded, words, command.task);
  else if (tg === 0 || !writeRange(state, line, time)) {
    for (const { lo, hi, granules } of pieces) {
      words.w0Lo = command.w0Lo | (tg === 0 ? 0 : sizeCode(granules));
      words.w1Lo = command.w1Lo | (lo & ~0xfff);
      words.w1Hi = hi;
      writeInv(line, time, DIALECT.smmuv3, INV_FORM.decoded, words, command.task);
    }
  }
  if (opcode === O.cfgiSte || opcode === O.cfgiCd || opcode === O.cfgiCdAll) state.domainOf.delete(command.w0Hi);
  else if (opcode === O.cfgiSteRange) state.domainOf.clear();
}

/** The pieces as the one range that they were cut from; false where they are none that a command can name. */
function writeRange(state: Smmuv3State, line: QemuLine, time: number): boolean {
  const { command } = state;
  const first = command.pieces[0]!;
  const shift = 10 + 2 * ((command.w1Lo >>> 10) & 3);
  let granules = 0;
  const start = ((first.hi >>> 0) * 0x100000000 + (first.lo >>> 0)) / 4096;
  for (const piece of command.pieces) {
    const page = ((piece.hi >>> 0) * 0x100000000 + (piece.lo >>> 0)) / 4096;
    // Page numbers are exact where byte addresses may not be.
    if (Math.floor(page) !== Math.floor(start) + granules * 2 ** (shift - 12)) return false;
    granules += piece.granules;
  }
  const code = sizeCode(granules);
  if (code < 0) return false;
  words.w0Lo = command.w0Lo | code;
  words.w1Lo = command.w1Lo | (first.lo & ~0xfff);
  words.w1Hi = first.hi;
  writeInv(line, time, DIALECT.smmuv3, INV_FORM.decoded, words, command.task);
  return true;
}

/** NUM and SCALE of so many granules as Linux writes them, in place in the first word; -1 if there are none. */
function sizeCode(granules: number): number {
  let scale = 0;
  let units = granules;
  while (units % 2 === 0 && scale < 31) {
    units /= 2;
    scale++;
  }
  return units > 32 ? -1 : ((units - 1) << 12) | (scale << 20);
}
