import {
  RISCV_FUNCTION,
  RISCV_OPCODE,
  riscvAddressValid,
  riscvAtsGlobal,
  riscvAtsSize,
  riscvDevice,
  riscvDeviceValid,
  riscvFunction,
  riscvGscid,
  riscvGscidValid,
  riscvOpcode,
  riscvPage,
  riscvPageOrder,
  riscvPid,
  riscvPidValid,
  riscvPscid,
  riscvPscidValid,
  riscvRid,
} from '../../traces/dialects/riscv-fields.ts';
import { sizeCodeOrder } from '../../traces/dialects/vtd-fields.ts';
import { COMMAND_ERROR } from './command-error.ts';
import { kindSet, matchGuest, matchKinds } from './entry-match.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { DROP } from './iotlb.ts';

const TWO_32 = 2 ** 32;
const OWN = kindSet('plain', 'combined');
const GLOBAL = kindSet('global', 'combinedGlobal');
const COMBINED = kindSet('combined', 'combinedGlobal');
const STAGE_2 = kindSet('stage2');

/**
 * Drops what one RISC-V command names and nothing else (RISC-V IOMMU 1.0, 3.1); returns how many entries went from all caches,
 * or a `COMMAND_ERROR`. Domains are PSCID | GSCID << 16. IOTINVAL.GVMA names guest physical addresses, which combined entries
 * don't hold: all of the guest's go.
 */
export function applyRiscv(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const func = riscvFunction(w0Lo);
  const opcode = riscvOpcode(w0Lo);
  const { configuration } = caches;
  switch (opcode) {
    case RISCV_OPCODE.iotinval:
      if (func === RISCV_FUNCTION.vma) return vma(caches, w0Lo, w0Hi, w1Lo, w1Hi);
      return func === RISCV_FUNCTION.gvma ? gvma(caches, w0Lo, w0Hi, w1Lo, w1Hi) : COMMAND_ERROR.undefinedType;
    case RISCV_OPCODE.iofence:
      return func === RISCV_FUNCTION.fence ? 0 : COMMAND_ERROR.undefinedType;
    case RISCV_OPCODE.iodir: {
      if (func > RISCV_FUNCTION.pdt) return COMMAND_ERROR.undefinedType;
      const device = riscvDevice(w0Hi);
      const any = !riscvDeviceValid(w0Hi);
      if (func === RISCV_FUNCTION.ddt) return configuration.dropDevices(true, (rid) => any || rid === device);
      // INVAL_PDT without DV is an illegal command
      return any ? COMMAND_ERROR.reservedBits : configuration.dropSpaces(device, riscvPid(w0Lo));
    }
    case RISCV_OPCODE.ats:
      if (func > RISCV_FUNCTION.prgr) return COMMAND_ERROR.undefinedType;
      return func === RISCV_FUNCTION.inval ? ats(caches, w0Lo, w0Hi, w1Lo, w1Hi) : 0;
    default:
      return COMMAND_ERROR.undefinedType;
  }
}

function vma(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const guest = riscvGscidValid(w0Hi) ? riscvGscid(w0Hi) << 16 : 0;
  const { match } = caches;
  if (riscvPscidValid(w0Hi)) {
    const pscid = riscvPscid(w0Lo);
    // beyond what a domain number holds nothing is cached
    if (pscid > 0xffff) return 0;
    matchGuest(match, guest | pscid, OWN, riscvAddressValid(w0Lo) ? GLOBAL : 0);
  } else matchGuest(match, guest, 0, OWN | GLOBAL);
  return riscvAddressValid(w0Lo) ? pages(caches, w1Lo, w1Hi) : everything(caches);
}

function gvma(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  if (riscvPscidValid(w0Hi)) return COMMAND_ERROR.reservedBits;
  const { match } = caches;
  const named = riscvGscidValid(w0Hi);
  const guest = riscvGscid(w0Hi) << 16;
  if (named) matchGuest(match, guest, 0, COMBINED);
  else matchKinds(match, COMBINED);
  const dropped = caches.iotlb.dropMatching(match, DROP.command);
  match.wideKinds = STAGE_2;
  // an address without GSCID means nothing
  return dropped + (named && riscvAddressValid(w0Lo) ? pages(caches, w1Lo, w1Hi) : everything(caches));
}

function pages(caches: HardwareCaches, w1Lo: number, w1Hi: number): number {
  const { match } = caches;
  const page = riscvPage(w1Lo, w1Hi);
  const order = riscvPageOrder(w1Lo, w1Hi);
  if (order >= 52) return everything(caches);
  const low = page | 0;
  const high = (page / TWO_32) | 0;
  // pointers to tables of the range go too: leaves alone are not told apart
  return (
    caches.iotlb.dropPages(match, low, high, order, DROP.command) +
    caches.stage2.dropPages(match, low, high, order, DROP.command) +
    caches.walkCaches.dropPages(match, low, high, order, DROP.command)
  );
}

function everything(caches: HardwareCaches): number {
  const { match } = caches;
  return (
    caches.iotlb.dropMatching(match, DROP.command) +
    caches.stage2.dropMatching(match, DROP.command) +
    caches.walkCaches.dropMatching(match, DROP.command)
  );
}

function ats(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const pasid = riscvPidValid(w0Hi) && !riscvAtsGlobal(w1Lo) ? riscvPid(w0Lo) : -1;
  const order = sizeCodeOrder(riscvAtsSize(w1Lo), w1Lo, w1Hi);
  return caches.deviceTlbs.dropPages(riscvRid(w0Hi), pasid, (w1Lo >>> 12) | (w1Hi << 20), w1Hi >>> 12, order);
}
