import {
  SMMUV3_ATC_ALL,
  SMMUV3_OPCODE,
  smmuAsid,
  smmuAtcGlobal,
  smmuAtcOrder,
  smmuGranuleShift,
  smmuLeaf,
  smmuNum,
  smmuOpcode,
  smmuScale,
  smmuSid,
  smmuSsid,
  smmuSsv,
  smmuSteRange,
  smmuSyncSignal,
  smmuTg,
  smmuTtl,
  smmuVmid,
} from '../../traces/dialects/smmuv3-fields.ts';
import { COMMAND_ERROR } from './command-error.ts';
import { kindSet, matchDomain, matchGuest } from './entry-match.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { DROP } from './iotlb.ts';
import { floorLog2, trailingZeros } from './page-bits.ts';

const TWO_32 = 2 ** 32;

/** Entries of one address space, those of all of a guest, and what a guest has of stage 1. Arm IHI 0070 3.17, 4.4. */
const OWN = kindSet('plain', 'combined');
const GLOBAL = kindSet('global', 'combinedGlobal');
const STAGE_1 = OWN | GLOBAL;
const STAGE_2 = kindSet('stage2');

/**
 * Drops what one SMMUv3 command names and nothing else (Arm IHI 0070 4.3 to 4.5); returns how many entries went from all
 * caches, or a `COMMAND_ERROR`. TLBIs by address space reach no device's ATC, ATC_INV reaches nothing else; TLBI_S2_IPA leaves
 * combined entries, which is why TLBI_NH_ALL must follow it.
 */
export function applySmmuv3(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const { match, configuration } = caches;
  const opcode = smmuOpcode(w0Lo);
  switch (opcode) {
    case SMMUV3_OPCODE.tlbiNhVa:
    case SMMUV3_OPCODE.tlbiEl2Va:
      matchGuest(match, smmuAsid(w0Hi) | (guest(opcode, w0Hi) << 16), OWN, GLOBAL);
      return range(caches, w0Lo, w1Lo, w1Hi, opcode === SMMUV3_OPCODE.tlbiNhVa);
    case SMMUV3_OPCODE.tlbiNhVaa:
    case SMMUV3_OPCODE.tlbiEl2Vaa:
      matchGuest(match, guest(opcode, w0Hi) << 16, 0, STAGE_1);
      return range(caches, w0Lo, w1Lo, w1Hi, false);
    case SMMUV3_OPCODE.tlbiS2Ipa:
      matchGuest(match, smmuVmid(w0Hi) << 16, 0, STAGE_2);
      return range(caches, w0Lo, w1Lo, w1Hi, false);
    case SMMUV3_OPCODE.tlbiNhAsid:
    case SMMUV3_OPCODE.tlbiEl2Asid:
      matchDomain(match, smmuAsid(w0Hi) | (guest(opcode, w0Hi) << 16), -1);
      match.kinds = OWN;
      return matching(caches);
    case SMMUV3_OPCODE.tlbiNhAll:
    case SMMUV3_OPCODE.tlbiEl2All:
      matchGuest(match, guest(opcode, w0Hi) << 16, 0, STAGE_1);
      return matching(caches);
    case SMMUV3_OPCODE.tlbiS12Vmall:
      matchGuest(match, smmuVmid(w0Hi) << 16, 0, STAGE_1 | STAGE_2);
      return matching(caches);
    case SMMUV3_OPCODE.tlbiNsnhAll:
      return (
        caches.iotlb.dropAll(DROP.command) +
        caches.walkCaches.dropAll(DROP.command) +
        caches.stage2.dropAll(DROP.command)
      );
    case SMMUV3_OPCODE.cfgiSte: {
      const sid = smmuSid(w0Hi);
      return configuration.dropDevices(!smmuLeaf(w1Lo), (rid) => rid === sid);
    }
    case SMMUV3_OPCODE.cfgiSteRange: {
      const bits = smmuSteRange(w1Lo);
      const first = bits === 31 ? 0 : Math.floor(smmuSid(w0Hi) / 2 ** (bits + 1));
      return configuration.dropDevices(true, (rid) => {
        return bits === 31 || Math.floor((rid >>> 0) / 2 ** (bits + 1)) === first;
      });
    }
    case SMMUV3_OPCODE.cfgiCd:
      return configuration.dropSpaces(smmuSid(w0Hi), smmuSsid(w0Lo));
    case SMMUV3_OPCODE.cfgiCdAll:
      return configuration.dropSpaces(smmuSid(w0Hi), -1);
    case SMMUV3_OPCODE.atcInv:
      return atc(caches, w0Lo, w0Hi, w1Lo, w1Hi);
    case SMMUV3_OPCODE.sync:
      return smmuSyncSignal(w0Lo) === 3 ? COMMAND_ERROR.reservedBits : 0;
    case SMMUV3_OPCODE.cfgiVmsPidm:
    case SMMUV3_OPCODE.prefetchConfig:
    case SMMUV3_OPCODE.prefetchAddress:
    case SMMUV3_OPCODE.priResp:
    case SMMUV3_OPCODE.resume:
    case SMMUV3_OPCODE.stallTerm:
      return 0;
    default:
      // EL3 and secure commands belong to the secure queue
      return COMMAND_ERROR.undefinedType;
  }
}

/** VMID of a command; the EL2 regime has none, its entries are those of VMID 0. */
function guest(opcode: number, w0Hi: number): number {
  return opcode >= SMMUV3_OPCODE.tlbiEl2All && opcode <= SMMUV3_OPCODE.tlbiEl2Vaa ? 0 : smmuVmid(w0Hi);
}

function matching(caches: HardwareCaches): number {
  const { match } = caches;
  return (
    caches.iotlb.dropMatching(match, DROP.command) +
    caches.walkCaches.dropMatching(match, DROP.command) +
    caches.stage2.dropMatching(match, DROP.command)
  );
}

/**
 * A TLBI by address: (NUM + 1) x 2^SCALE granules from the address on, cut into naturally aligned powers of two; one page
 * without TG. `exact`: a command for one address space with a level hint.
 */
function range(caches: HardwareCaches, w0Lo: number, w1Lo: number, w1Hi: number, exact: boolean): number {
  const tg = smmuTg(w1Lo);
  const leaf = smmuLeaf(w1Lo);
  const granule = smmuGranuleShift(tg) - 12;
  const from = (w1Hi >>> 0) * 0x100000 + (w1Lo >>> 12);
  const unit = 2 ** granule;
  let at = from - (from % unit);
  let left = tg === 0 ? unit : (smmuNum(w0Lo) + 1) * 2 ** (smmuScale(w0Lo) + granule);
  if (tg !== 0 && at + left > 2 ** 52) return COMMAND_ERROR.badRange;
  let dropped = 0;
  if (exact && tg !== 0 && left === unit && smmuTtl(w1Lo) !== 0 && caches.dropExact !== undefined) {
    // the entry of just that level, and nothing else that holds the page
    const order = granule + (3 - smmuTtl(w1Lo)) * (granule + 9);
    dropped = caches.dropExact(caches.match.domain, order, at | 0, (at / TWO_32) | 0);
    if (dropped > 0) return dropped;
  }
  while (left > 0) {
    const order = pieceOrder(at, left);
    dropped += pages(caches, at, order, leaf);
    const size = order < 31 ? 1 << order : 2 ** order;
    at += size;
    left -= size;
  }
  return dropped;
}

function pages(caches: HardwareCaches, page: number, order: number, leaf: boolean): number {
  const { match } = caches;
  const low = page | 0;
  const high = (page / TWO_32) | 0;
  const dropped =
    caches.iotlb.dropPages(match, low, high, order, DROP.command) +
    caches.stage2.dropPages(match, low, high, order, DROP.command);
  return leaf ? dropped : dropped + caches.walkCaches.dropPages(match, low, high, order, DROP.command);
}

/** log2 of the largest naturally aligned piece at the start of a range. Pages are doubles. */
function pieceOrder(page: number, count: number): number {
  return Math.min(trailingZeros(page, page), floorLog2(count));
}

function atc(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const order = smmuAtcOrder(w1Lo);
  if (order > SMMUV3_ATC_ALL) return COMMAND_ERROR.maskTooLarge;
  const pasid = smmuSsv(w0Lo) && !smmuAtcGlobal(w0Lo) ? smmuSsid(w0Lo) : -1;
  return caches.deviceTlbs.dropPages(smmuSid(w0Hi), pasid, (w1Lo >>> 12) | (w1Hi << 20), w1Hi >>> 12, order);
}
