import { AMD_COMMAND, amdCommand, amdDevice, amdDomain, amdSize } from '../../traces/dialects/amd-fields.ts';
import {
  RISCV_FUNCTION,
  RISCV_OPCODE,
  riscvAddressValid,
  riscvDevice,
  riscvDeviceValid,
  riscvFunction,
  riscvGscid,
  riscvGscidValid,
  riscvOpcode,
  riscvPageOrder,
  riscvPscid,
  riscvPscidValid,
  riscvRid,
} from '../../traces/dialects/riscv-fields.ts';
import {
  SMMUV3_OPCODE,
  smmuAsid,
  smmuAtcOrder,
  smmuOpcode,
  smmuSid,
  smmuVmid,
} from '../../traces/dialects/smmuv3-fields.ts';
import { VIRTIO_REQUEST, virtioDomain, virtioEndpoint, virtioRequest } from '../../traces/dialects/virtio-fields.ts';
import {
  VTD_GRANULARITY,
  VTD_TYPE,
  sizeCodeOrder,
  vtdDomain,
  vtdGranularity,
  vtdType,
} from '../../traces/dialects/vtd-fields.ts';
import { DIALECT } from '../../traces/schema.ts';

/** What is asked of each name in a command. Domains hold the guest in their upper half where the dialect has guests. */
export interface CommandNames {
  domain(domain: number): number;
  /** VMID or GSCID of a command that means all of a guest. */
  guest(guest: number): number;
  rid(rid: number): number;
}

/** Words of a command as int32 halves: w0Lo, w0Hi, w1Lo, ... */
export type CommandWords = Int32Array;

const ADDRESS = { none: 0, second: 1, both: 2, pages: 3 } as const;
/** From this order on a size code means everything. */
const EVERYTHING = 52;

/**
 * Gives other names to the domain and the requester that a command has, in place, and moves its address by so many pages, which
 * must be a multiple of the pages that it names. Layouts are those of `traces/dialects/`; what names all domains stays.
 */
export function renameCommand(dialect: number, words: CommandWords, names: CommandNames, pages: number): void {
  const moved =
    dialect === DIALECT.vtd
      ? vtd(words, names)
      : dialect === DIALECT.smmuv3
        ? smmuv3(words, names)
        : dialect === DIALECT.amd
          ? amd(words, names)
          : dialect === DIALECT.riscv
            ? riscv(words, names)
            : dialect === DIALECT.virtio
              ? virtio(words, names)
              : ADDRESS.none;
  if (pages === 0 || moved === ADDRESS.none) return;
  // RISC-V has page numbers from bit 10 on
  const bytes = moved === ADDRESS.pages ? pages * 1024 : pages * 4096;
  moveAddress(words, 2, bytes);
  if (moved === ADDRESS.both) moveAddress(words, 4, bytes);
}

/** Adds bytes, fewer than 2^53, to a 64-bit word. */
function moveAddress(words: CommandWords, at: number, bytes: number): void {
  const low = (words[at]! >>> 0) + (bytes % 2 ** 32);
  words[at] = low | 0;
  words[at + 1] = (words[at + 1]! + Math.floor(bytes / 2 ** 32) + (low >= 2 ** 32 ? 1 : 0)) | 0;
}

/** VT-d spec 6.5.2. */
function vtd(words: CommandWords, names: CommandNames): number {
  const w0Lo = words[0]!;
  const w0Hi = words[1]!;
  const granularity = vtdGranularity(w0Lo);
  switch (vtdType(w0Lo)) {
    case VTD_TYPE.context:
      if (granularity !== VTD_GRANULARITY.global) setUpper(words, 0, names.domain(vtdDomain(w0Lo)));
      if (granularity === VTD_GRANULARITY.device) setLower(words, 1, names.rid(w0Hi & 0xffff));
      return ADDRESS.none;
    case VTD_TYPE.pasidIotlb:
      setUpper(words, 0, names.domain(vtdDomain(w0Lo)));
      return granularity === VTD_GRANULARITY.page ? ADDRESS.second : ADDRESS.none;
    case VTD_TYPE.iotlb:
      if (granularity !== VTD_GRANULARITY.global) setUpper(words, 0, names.domain(vtdDomain(w0Lo)));
      return granularity === VTD_GRANULARITY.page ? ADDRESS.second : ADDRESS.none;
    case VTD_TYPE.pasidCache:
      if (granularity !== 3) setUpper(words, 0, names.domain(vtdDomain(w0Lo)));
      return ADDRESS.none;
    case VTD_TYPE.deviceTlb:
      setLower(words, 1, names.rid(w0Hi & 0xffff));
      physicalFunction(words, names);
      return sizeCodeOrder((words[2]! & 1) !== 0, words[2]!, words[3]!) < EVERYTHING ? ADDRESS.second : ADDRESS.none;
    case VTD_TYPE.pasidDeviceTlb:
      setUpper(words, 0, names.rid(w0Lo >>> 16));
      physicalFunction(words, names);
      return sizeCodeOrder((words[2]! & 0x800) !== 0, words[2]!, words[3]!) < EVERYTHING
        ? ADDRESS.second
        : ADDRESS.none;
    case VTD_TYPE.pageResponse:
      setUpper(words, 0, names.rid(w0Lo >>> 16));
      return ADDRESS.none;
    default:
      return ADDRESS.none;
  }
}

/** PFSID: bits 15:12 and 63:52 of the first word. */
function physicalFunction(words: CommandWords, names: CommandNames): void {
  const pfsid = ((words[0]! >>> 12) & 0xf) | ((words[1]! >>> 20) << 4);
  if (pfsid === 0) return;
  const renamed = names.rid(pfsid);
  words[0] = (words[0]! & ~0xf000) | ((renamed & 0xf) << 12);
  words[1] = (words[1]! & 0xf_ffff) | ((renamed >>> 4) << 20);
}

/** Arm IHI 0070, 4.2 to 4.7. */
function smmuv3(words: CommandWords, names: CommandNames): number {
  const w0Hi = words[1]!;
  switch (smmuOpcode(words[0]!)) {
    case SMMUV3_OPCODE.tlbiNhVa:
    case SMMUV3_OPCODE.tlbiNhAsid:
      addressSpace(words, names, smmuVmid(w0Hi));
      return smmuOpcode(words[0]!) === SMMUV3_OPCODE.tlbiNhVa ? ADDRESS.second : ADDRESS.none;
    case SMMUV3_OPCODE.tlbiEl2Va:
    case SMMUV3_OPCODE.tlbiEl2Asid:
      addressSpace(words, names, 0);
      return smmuOpcode(words[0]!) === SMMUV3_OPCODE.tlbiEl2Va ? ADDRESS.second : ADDRESS.none;
    case SMMUV3_OPCODE.tlbiEl2Vaa:
      return ADDRESS.second;
    case SMMUV3_OPCODE.tlbiNhVaa:
    case SMMUV3_OPCODE.tlbiS2Ipa:
      setLower(words, 1, names.guest(smmuVmid(w0Hi)));
      return ADDRESS.second;
    case SMMUV3_OPCODE.tlbiNhAll:
    case SMMUV3_OPCODE.tlbiS12Vmall:
      setLower(words, 1, names.guest(smmuVmid(w0Hi)));
      return ADDRESS.none;
    case SMMUV3_OPCODE.prefetchConfig:
    case SMMUV3_OPCODE.prefetchAddress:
    case SMMUV3_OPCODE.cfgiSte:
    case SMMUV3_OPCODE.cfgiCd:
    case SMMUV3_OPCODE.cfgiCdAll:
    case SMMUV3_OPCODE.priResp:
    case SMMUV3_OPCODE.resume:
    case SMMUV3_OPCODE.stallTerm:
      words[1] = names.rid(smmuSid(w0Hi));
      return ADDRESS.none;
    case SMMUV3_OPCODE.atcInv:
      words[1] = names.rid(smmuSid(w0Hi));
      return smmuAtcOrder(words[2]!) < EVERYTHING ? ADDRESS.second : ADDRESS.none;
    default:
      return ADDRESS.none;
  }
}

function addressSpace(words: CommandWords, names: CommandNames, vmid: number): void {
  const renamed = names.domain(smmuAsid(words[1]!) | (vmid << 16));
  words[1] = ((renamed & 0xffff) << 16) | (vmid === 0 ? words[1]! & 0xffff : renamed >>> 16);
}

/** AMD 48882, 2.4. */
function amd(words: CommandWords, names: CommandNames): number {
  const order = sizeCodeOrder(amdSize(words[2]!), words[2]!, words[3]!);
  switch (amdCommand(words[1]!)) {
    case AMD_COMMAND.pages:
      setLower(words, 1, names.domain(amdDomain(words[1]!)));
      return order < EVERYTHING ? ADDRESS.second : ADDRESS.none;
    case AMD_COMMAND.iotlbPages:
      setLower(words, 0, names.rid(amdDevice(words[0]!)));
      return order < EVERYTHING ? ADDRESS.second : ADDRESS.none;
    case AMD_COMMAND.devtabEntry:
    case AMD_COMMAND.interruptTable:
    case AMD_COMMAND.prefetch:
    case AMD_COMMAND.completePpr:
      setLower(words, 0, names.rid(amdDevice(words[0]!)));
      return ADDRESS.none;
    default:
      return ADDRESS.none;
  }
}

/** RISC-V IOMMU 1.0, 3.1. */
function riscv(words: CommandWords, names: CommandNames): number {
  const w0Lo = words[0]!;
  const w0Hi = words[1]!;
  switch (riscvOpcode(w0Lo)) {
    case RISCV_OPCODE.iotinval: {
      const gscid = riscvGscidValid(w0Hi) ? riscvGscid(w0Hi) : 0;
      if (riscvFunction(w0Lo) === RISCV_FUNCTION.vma && riscvPscidValid(w0Hi)) {
        const renamed = names.domain(riscvPscid(w0Lo) | (gscid << 16));
        words[0] = (w0Lo & 0xfff) | ((renamed & 0xffff) << 12);
        if (gscid !== 0) setGuest(words, renamed >>> 16);
      } else if (gscid !== 0) setGuest(words, names.guest(gscid));
      return riscvAddressValid(w0Lo) && riscvPageOrder(words[2]!, words[3]!) < EVERYTHING
        ? ADDRESS.pages
        : ADDRESS.none;
    }
    case RISCV_OPCODE.iodir:
      if (riscvDeviceValid(w0Hi)) words[1] = (w0Hi & 0xff) | (names.rid(riscvDevice(w0Hi)) << 8);
      return ADDRESS.none;
    case RISCV_OPCODE.ats:
      words[1] = (w0Hi & ~0xffff00) | ((names.rid(riscvRid(w0Hi)) & 0xffff) << 8);
      return riscvFunction(w0Lo) === RISCV_FUNCTION.inval &&
        sizeCodeOrder((words[2]! & 0x800) !== 0, words[2]!, words[3]!) < EVERYTHING
        ? ADDRESS.second
        : ADDRESS.none;
    default:
      return ADDRESS.none;
  }
}

function setGuest(words: CommandWords, gscid: number): void {
  words[1] = (words[1]! & ~0x0fff_f000) | (gscid << 12);
}

/** Virtio 1.2, 5.13.6, as a trace holds its requests. */
function virtio(words: CommandWords, names: CommandNames): number {
  switch (virtioRequest(words[0]!)) {
    case VIRTIO_REQUEST.attach:
    case VIRTIO_REQUEST.detach:
      words[1] = names.domain(virtioDomain(words[1]!) | 0);
      words[2] = names.rid(virtioEndpoint(words[2]!) | 0);
      return ADDRESS.none;
    case VIRTIO_REQUEST.probe:
      words[2] = names.rid(virtioEndpoint(words[2]!) | 0);
      return ADDRESS.none;
    case VIRTIO_REQUEST.map:
    case VIRTIO_REQUEST.unmap:
      words[1] = names.domain(virtioDomain(words[1]!) | 0);
      return words[2] === 0 && words[3] === 0 && words[5] === -1 ? ADDRESS.none : ADDRESS.both;
    default:
      return ADDRESS.none;
  }
}

function setUpper(words: CommandWords, at: number, value: number): void {
  words[at] = (words[at]! & 0xffff) | (value << 16);
}

function setLower(words: CommandWords, at: number, value: number): void {
  words[at] = (words[at]! & ~0xffff) | (value & 0xffff);
}
