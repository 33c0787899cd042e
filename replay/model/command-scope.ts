import {
  AMD_COMMAND,
  amdCommand,
  amdDevice,
  amdDomain,
  amdFirstPage,
  amdSize,
} from '../../traces/dialects/amd-fields.ts';
import {
  RISCV_FUNCTION,
  RISCV_OPCODE,
  riscvAddressValid,
  riscvFunction,
  riscvGscid,
  riscvGscidValid,
  riscvOpcode,
  riscvPage,
  riscvPageOrder,
  riscvPscid,
  riscvPscidValid,
  riscvRid,
} from '../../traces/dialects/riscv-fields.ts';
import {
  SMMUV3_ATC_ALL,
  SMMUV3_OPCODE,
  smmuAsid,
  smmuAtcOrder,
  smmuFirstPage,
  smmuOpcode,
  smmuRangePages,
  smmuSid,
  smmuVmid,
} from '../../traces/dialects/smmuv3-fields.ts';
import { VIRTIO_REQUEST, virtioDomain, virtioPage, virtioRequest } from '../../traces/dialects/virtio-fields.ts';
import {
  VTD_GRANULARITY,
  VTD_TYPE,
  sizeCodeOrder,
  vtdAddressMask,
  vtdDomain,
  vtdGranularity,
  vtdPasid,
  vtdType,
} from '../../traces/dialects/vtd-fields.ts';
import { DIALECT } from '../../traces/schema.ts';
import type { DomainId, PageNumber, RequesterId } from '../../traces/units.ts';

/** What a command is for, as far as unmapped pages are concerned. */
export const SCOPE = { none: 0, iotlb: 1, deviceTlb: 2, wait: 3 } as const;

/** Last page of everything: beyond any page number. */
export const EVERY_PAGE = 2 ** 52 - 1;

/**
 * Which translations a native command is meant to drop: from which cache, of which domains, which pages. It says what the
 * architecture promises to software, not what a cache happens to hold. One object is reused for all commands.
 */
export interface CommandScope {
  /** `SCOPE` value. */
  kind: number;
  /** The domain; -1: all, or for SMMUv3's VMID-wide forms all of `vmid`. */
  domain: DomainId;
  /** SMMUv3 without domain: the ASIDs of this VMID; -1: no such limit. */
  vmid: number;
  pasid: number;
  /** Requester whose device TLB is meant. */
  device: RequesterId;
  first: PageNumber;
  /** Inclusive; `EVERY_PAGE` where the command names no addresses. */
  last: PageNumber;
}

export function commandScope(): CommandScope {
  return { kind: SCOPE.none, domain: -1, vmid: -1, pasid: -1, device: -1, first: 0, last: EVERY_PAGE };
}

/** Fills `scope` with the meaning of a command's first three words; w2 matters to virtio only. */
export function readScope(
  scope: CommandScope,
  dialect: number,
  w0Lo: number,
  w0Hi: number,
  w1Lo: number,
  w1Hi: number,
  w2Lo: number,
  w2Hi: number,
): void {
  scope.kind = SCOPE.none;
  scope.domain = -1;
  scope.vmid = -1;
  scope.pasid = -1;
  scope.device = -1;
  scope.first = 0;
  scope.last = EVERY_PAGE;
  if (dialect === DIALECT.vtd) vtd(scope, w0Lo, w0Hi, w1Lo, w1Hi);
  else if (dialect === DIALECT.smmuv3) smmu(scope, w0Lo, w0Hi, w1Lo, w1Hi);
  else if (dialect === DIALECT.amd) amd(scope, w0Lo, w0Hi, w1Lo, w1Hi);
  else if (dialect === DIALECT.virtio) virtio(scope, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
  else if (dialect === DIALECT.riscv) riscv(scope, w0Lo, w0Hi, w1Lo, w1Hi);
}

function aligned(scope: CommandScope, page: PageNumber, order: number): void {
  if (order >= 52) return;
  const pages = 2 ** order;
  scope.first = page - (page % pages);
  scope.last = scope.first + pages - 1;
}

/** VT-d spec 6.5.2. */
function vtd(scope: CommandScope, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
  const page = (w1Hi >>> 0) * 0x100000 + (w1Lo >>> 12);
  switch (vtdType(w0Lo)) {
    case VTD_TYPE.iotlb:
      scope.kind = SCOPE.iotlb;
      if (vtdGranularity(w0Lo) !== VTD_GRANULARITY.global) scope.domain = vtdDomain(w0Lo);
      if (vtdGranularity(w0Lo) === VTD_GRANULARITY.page) aligned(scope, page, vtdAddressMask(w1Lo));
      break;
    case VTD_TYPE.pasidIotlb:
      scope.kind = SCOPE.iotlb;
      scope.domain = vtdDomain(w0Lo);
      scope.pasid = vtdPasid(w0Hi);
      if (vtdGranularity(w0Lo) === VTD_GRANULARITY.page) aligned(scope, page, vtdAddressMask(w1Lo));
      break;
    case VTD_TYPE.deviceTlb:
      scope.kind = SCOPE.deviceTlb;
      scope.device = w0Hi & 0xffff;
      aligned(scope, page, sizeCodeOrder((w1Lo & 1) !== 0, w1Lo, w1Hi));
      break;
    case VTD_TYPE.pasidDeviceTlb:
      scope.kind = SCOPE.deviceTlb;
      scope.device = w0Lo >>> 16;
      scope.pasid = vtdPasid(w0Hi);
      aligned(scope, page, sizeCodeOrder((w1Lo & 0x800) !== 0, w1Lo, w1Hi));
      break;
    case VTD_TYPE.wait:
      scope.kind = SCOPE.wait;
      break;
    default:
  }
}

/** Arm IHI 0070, 4.4 and 4.5. */
function smmu(scope: CommandScope, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
  const opcode = smmuOpcode(w0Lo);
  switch (opcode) {
    case SMMUV3_OPCODE.tlbiNhVa:
    case SMMUV3_OPCODE.tlbiEl2Va:
    case SMMUV3_OPCODE.tlbiNhVaa:
    case SMMUV3_OPCODE.tlbiS2Ipa:
      scope.kind = SCOPE.iotlb;
      if (opcode === SMMUV3_OPCODE.tlbiNhVaa) scope.vmid = smmuVmid(w0Hi);
      else if (opcode === SMMUV3_OPCODE.tlbiS2Ipa) scope.domain = smmuVmid(w0Hi) << 16;
      else scope.domain = smmuAsid(w0Hi) | (opcode === SMMUV3_OPCODE.tlbiNhVa ? smmuVmid(w0Hi) << 16 : 0);
      scope.first = smmuFirstPage(w1Lo, w1Hi);
      scope.last = Math.min(EVERY_PAGE, scope.first + smmuRangePages(w0Lo, w1Lo) - 1);
      break;
    case SMMUV3_OPCODE.tlbiNhAsid:
    case SMMUV3_OPCODE.tlbiEl2Asid:
      scope.kind = SCOPE.iotlb;
      scope.domain = smmuAsid(w0Hi) | (opcode === SMMUV3_OPCODE.tlbiNhAsid ? smmuVmid(w0Hi) << 16 : 0);
      break;
    case SMMUV3_OPCODE.tlbiNhAll:
    case SMMUV3_OPCODE.tlbiS12Vmall:
      scope.kind = SCOPE.iotlb;
      scope.vmid = smmuVmid(w0Hi);
      break;
    case SMMUV3_OPCODE.tlbiNsnhAll:
    case SMMUV3_OPCODE.tlbiEl2All:
    case SMMUV3_OPCODE.tlbiEl3All:
      scope.kind = SCOPE.iotlb;
      break;
    case SMMUV3_OPCODE.atcInv:
      scope.kind = SCOPE.deviceTlb;
      scope.device = smmuSid(w0Hi);
      if (smmuAtcOrder(w1Lo) < SMMUV3_ATC_ALL) aligned(scope, smmuFirstPage(w1Lo, w1Hi), smmuAtcOrder(w1Lo));
      break;
    case SMMUV3_OPCODE.sync:
      scope.kind = SCOPE.wait;
      break;
    default:
  }
}

/** AMD 48882, 2.4. */
function amd(scope: CommandScope, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
  const order = sizeCodeOrder(amdSize(w1Lo), w1Lo, w1Hi);
  switch (amdCommand(w0Hi)) {
    case AMD_COMMAND.pages:
      scope.kind = SCOPE.iotlb;
      scope.domain = amdDomain(w0Hi);
      aligned(scope, amdFirstPage(order, w1Lo, w1Hi), order);
      break;
    case AMD_COMMAND.iotlbPages:
      scope.kind = SCOPE.deviceTlb;
      scope.device = amdDevice(w0Lo);
      aligned(scope, amdFirstPage(order, w1Lo, w1Hi), order);
      break;
    case AMD_COMMAND.all:
      scope.kind = SCOPE.iotlb;
      break;
    case AMD_COMMAND.completionWait:
      scope.kind = SCOPE.wait;
      break;
    default:
  }
}

/** Virtio 1.2, 5.13.6.6: an unmap request is its own invalidation. */
function virtio(
  scope: CommandScope,
  w0Lo: number,
  w0Hi: number,
  w1Lo: number,
  w1Hi: number,
  w2Lo: number,
  w2Hi: number,
): void {
  const request = virtioRequest(w0Lo);
  if (request !== VIRTIO_REQUEST.unmap) return;
  scope.kind = SCOPE.iotlb;
  scope.domain = virtioDomain(w0Hi);
  scope.first = virtioPage(w1Lo, w1Hi);
  scope.last = virtioPage(w2Lo, w2Hi);
}

/** RISC-V IOMMU 1.0, 3.1. Host address spaces are named by PSCID, guests by GSCID. */
function riscv(scope: CommandScope, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
  const opcode = riscvOpcode(w0Lo);
  if (opcode === RISCV_OPCODE.iotinval) {
    scope.kind = SCOPE.iotlb;
    const guest = riscvGscidValid(w0Hi) ? riscvGscid(w0Hi) << 16 : 0;
    if (riscvFunction(w0Lo) === RISCV_FUNCTION.gvma) {
      if (riscvGscidValid(w0Hi)) scope.domain = guest;
    } else if (riscvPscidValid(w0Hi)) scope.domain = guest | riscvPscid(w0Lo);
    if (riscvAddressValid(w0Lo)) {
      aligned(scope, riscvPage(w1Lo, w1Hi), riscvPageOrder(w1Lo, w1Hi));
    }
  } else if (opcode === RISCV_OPCODE.ats && riscvFunction(w0Lo) === RISCV_FUNCTION.inval) {
    scope.kind = SCOPE.deviceTlb;
    scope.device = riscvRid(w0Hi);
  } else if (opcode === RISCV_OPCODE.iofence) scope.kind = SCOPE.wait;
}
