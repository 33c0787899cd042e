import { AMD_COMMAND, amdCommand, amdDomain } from '../../traces/dialects/amd-fields.ts';
import { SMMUV3_OPCODE, smmuAsid, smmuIsTlbi, smmuOpcode, smmuVmid } from '../../traces/dialects/smmuv3-fields.ts';
import { VIRTIO_REQUEST, virtioDomain, virtioRequest } from '../../traces/dialects/virtio-fields.ts';
import { DIALECT } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId } from '../../traces/units.ts';

/** What a command is to somebody who looks for the flushes of unmaps. */
export const COMMAND_ROLE = {
  /** Drops translations of a domain, or changes its table (virtio). */
  flush: 0,
  /** Drops translations from a device's cache. */
  deviceTlb: 1,
  /** Says when all before it is done. */
  wait: 2,
  /** Configuration of a device changed. */
  configuration: 3,
  /** Everything else. */
  other: 4,
} as const;

export function roleOf(dialect: number, w0Lo: number, w0Hi: number): number {
  if (dialect === DIALECT.smmuv3) return smmuRole(w0Lo);
  if (dialect === DIALECT.amd) return amdRole(w0Hi);
  if (dialect !== DIALECT.virtio) return COMMAND_ROLE.other;
  const request = virtioRequest(w0Lo);
  if (request === VIRTIO_REQUEST.map || request === VIRTIO_REQUEST.unmap) return COMMAND_ROLE.flush;
  return request === VIRTIO_REQUEST.probe ? COMMAND_ROLE.other : COMMAND_ROLE.configuration;
}

function smmuRole(w0Lo: number): number {
  const opcode = smmuOpcode(w0Lo);
  if (opcode === SMMUV3_OPCODE.sync) return COMMAND_ROLE.wait;
  if (opcode === SMMUV3_OPCODE.atcInv) return COMMAND_ROLE.deviceTlb;
  if (opcode === SMMUV3_OPCODE.tlbiNsnhAll) return COMMAND_ROLE.configuration;
  if (smmuIsTlbi(w0Lo)) return COMMAND_ROLE.flush;
  return opcode >= SMMUV3_OPCODE.cfgiSte && opcode <= SMMUV3_OPCODE.cfgiVmsPidm
    ? COMMAND_ROLE.configuration
    : COMMAND_ROLE.other;
}

function amdRole(w0Hi: number): number {
  switch (amdCommand(w0Hi)) {
    case AMD_COMMAND.pages:
      return COMMAND_ROLE.flush;
    case AMD_COMMAND.iotlbPages:
      return COMMAND_ROLE.deviceTlb;
    case AMD_COMMAND.completionWait:
      return COMMAND_ROLE.wait;
    case AMD_COMMAND.devtabEntry:
    case AMD_COMMAND.all:
      return COMMAND_ROLE.configuration;
    default:
      return COMMAND_ROLE.other;
  }
}

/** Domain of a command whose role is `flush`, in the trace's numbers: SMMUv3's are ASID | VMID << 16. */
export function domainOfCommand(dialect: number, w0Lo: number, w0Hi: number): DomainId {
  if (dialect === DIALECT.amd) return amdDomain(w0Hi);
  if (dialect === DIALECT.virtio) return virtioDomain(w0Hi);
  if (dialect !== DIALECT.smmuv3) return ABSENT;
  switch (smmuOpcode(w0Lo)) {
    case SMMUV3_OPCODE.tlbiNhVa:
    case SMMUV3_OPCODE.tlbiNhAsid:
      return smmuAsid(w0Hi) | (smmuVmid(w0Hi) << 16);
    case SMMUV3_OPCODE.tlbiEl2Va:
    case SMMUV3_OPCODE.tlbiEl2Asid:
      return smmuAsid(w0Hi);
    default:
      return smmuVmid(w0Hi) << 16;
  }
}

/** Drops everything of its domain: what a driver sends when a device comes or goes, and a lazy one to flush its queue. */
export function isWholeFlush(dialect: number, w0Lo: number): boolean {
  if (dialect !== DIALECT.smmuv3) return false;
  switch (smmuOpcode(w0Lo)) {
    case SMMUV3_OPCODE.tlbiNhAll:
    case SMMUV3_OPCODE.tlbiNhAsid:
    case SMMUV3_OPCODE.tlbiEl2All:
    case SMMUV3_OPCODE.tlbiEl2Asid:
    case SMMUV3_OPCODE.tlbiS12Vmall:
      return true;
    default:
      return false;
  }
}
