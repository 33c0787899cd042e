import { AMD_COMMAND, amdCommand } from '../../../traces/dialects/amd-fields.ts';
import { RISCV_OPCODE, riscvOpcode } from '../../../traces/dialects/riscv-fields.ts';
import { SMMUV3_OPCODE, smmuOpcode } from '../../../traces/dialects/smmuv3-fields.ts';
import { VIRTIO_REQUEST, virtioRequest } from '../../../traces/dialects/virtio-fields.ts';
import { VTD_TYPE, vtdType } from '../../../traces/dialects/vtd-fields.ts';
import { DIALECT } from '../../../traces/schema.ts';
import { pageNumber } from '../../../traces/units.ts';

/**
 * Where a command has the address of memory that it writes or maps: the int32 word where it starts, how far it is shifted, and which
 * bits of both words are not its. Undefined where it has none, or writes nothing.
 */
interface MemoryField {
  readonly at: number;
  /** Address bits are stored so much further right. */
  readonly right: number;
  readonly otherLo: number;
  readonly otherHi: number;
}

const WORD_1: MemoryField = { at: 2, right: 0, otherLo: 0, otherHi: 0 };

function memoryField(dialect: number, words: Int32Array): MemoryField | undefined {
  const w0Lo = words[0]!;
  if (dialect === DIALECT.vtd) {
    // status address of a wait that writes (VT-d spec 6.5.2.8)
    return vtdType(w0Lo) === VTD_TYPE.wait && (w0Lo & 0x20) !== 0 ? WORD_1 : undefined;
  }
  if (dialect === DIALECT.smmuv3) {
    // MSIAddress of CMD_SYNC with CS = 1 (Arm IHI 0070, 4.7.3): attributes lie above bit 55
    const syncs = smmuOpcode(w0Lo) === SMMUV3_OPCODE.sync && ((w0Lo >>> 12) & 3) === 1;
    return syncs ? { ...WORD_1, otherHi: 0xff00_0000 | 0 } : undefined;
  }
  if (dialect === DIALECT.amd) {
    // store address of COMPLETION_WAIT (AMD 48882, 2.4.1): bits 51:3 of the first word
    const waits = amdCommand(words[1]!) === AMD_COMMAND.completionWait && (w0Lo & 1) !== 0;
    return waits ? { at: 0, right: 0, otherLo: 7, otherHi: 0xfff0_0000 | 0 } : undefined;
  }
  if (dialect === DIALECT.riscv) {
    // ADDR[63:2] of IOFENCE.C with AV (RISC-V IOMMU 1.0, 3.1.2)
    const fences = riscvOpcode(w0Lo) === RISCV_OPCODE.iofence && (w0Lo & 0x400) !== 0;
    return fences ? { ...WORD_1, right: 2 } : undefined;
  }
  // phys_start of MAP (virtio 1.2, 5.13.6.5)
  if (dialect === DIALECT.virtio && virtioRequest(w0Lo) === VIRTIO_REQUEST.map) return { ...WORD_1, at: 6 };
  return undefined;
}

/** Page of the memory that a command writes or maps; -1 for none. */
export function commandMemory(dialect: number, words: Int32Array): number {
  const field = memoryField(dialect, words);
  if (field === undefined) return -1;
  const lo = words[field.at]! & ~field.otherLo;
  const hi = words[field.at + 1]! & ~field.otherHi;
  if (field.right === 0) return pageNumber(lo, hi);
  return Math.floor(((hi >>> 0) * 2 ** 32 + (lo >>> 0)) / (4096 >>> field.right));
}

/** Moves the memory that a command writes or maps, in place. */
export function moveCommandMemory(dialect: number, words: Int32Array, bytes: number): void {
  const field = memoryField(dialect, words);
  if (field === undefined) return;
  const { at, right, otherLo, otherHi } = field;
  const low = (words[at]! & ~otherLo) >>> 0;
  const sum = low + ((bytes / 2 ** right) % 2 ** 32);
  const high = (words[at + 1]! & ~otherHi) + Math.floor(bytes / 2 ** right / 2 ** 32) + (sum >= 2 ** 32 ? 1 : 0);
  words[at] = sum | 0 | (words[at]! & otherLo);
  words[at + 1] = (high & ~otherHi) | (words[at + 1]! & otherHi);
}
