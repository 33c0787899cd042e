import {
  VTD_GRANULARITY,
  VTD_TYPE,
  sizeCodeOrder,
  vtdAddressMask,
  vtdDomain,
  vtdGranularity,
  vtdInvalidationHint,
  vtdPasid,
  vtdType,
} from '../../traces/dialects/vtd-fields.ts';
import { COMMAND_ERROR } from './command-error.ts';
import { EVERY_KIND, kindSet, matchDomain } from './entry-match.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { DROP } from './iotlb.ts';

/** Bits of a requester id that a context command ignores, by its function mask. VT-d spec 6.5.2.1. */
const FUNCTION_MASKS = [0, 4, 6, 7] as const;

/** What first-stage commands reach: nothing that is known to be of the second stage alone. */
const FIRST_STAGE = EVERY_KIND & ~kindSet('stage2');
const COMBINED = kindSet('combined', 'combinedGlobal');

/** Reserved bits of the first word, low and high half. VT-d spec 6.5.2, 128-bit form. */
const CONTEXT_RESERVED_LOW = 0xf1c0;
const CONTEXT_RESERVED_HIGH = 0xfffc_0000 | 0;
const IOTLB_RESERVED_LOW = 0xf100;

/**
 * Drops what one descriptor names and nothing else; returns how many entries went from all caches, or a `COMMAND_ERROR`. The
 * table of effects is VT-d spec 6.5.2: context commands leave the IOTLB alone, page commands keep pointers to tables when the
 * hint says that only leaves changed. Interrupt entries are not modelled here; waits and responses drop nothing.
 */
export function applyVtd(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const type = vtdType(w0Lo);
  switch (type) {
    case VTD_TYPE.iotlb:
      return iotlb(caches, w0Lo, w0Hi, w1Lo, w1Hi);
    case VTD_TYPE.pasidIotlb:
      return pasidIotlb(caches, w0Lo, w0Hi, w1Lo, w1Hi);
    case VTD_TYPE.context:
      return context(caches, w0Lo, w0Hi);
    case VTD_TYPE.pasidCache:
      return pasidCache(caches, w0Lo, w0Hi);
    case VTD_TYPE.deviceTlb:
      return deviceTlb(caches, w0Hi & 0xffff, -1, (w1Lo & 1) !== 0, w1Lo, w1Hi);
    case VTD_TYPE.pasidDeviceTlb:
      // G: under every PASID
      return deviceTlb(caches, w0Lo >>> 16, (w1Lo & 1) !== 0 ? -1 : vtdPasid(w0Hi), (w1Lo & 0x800) !== 0, w1Lo, w1Hi);
    case 0:
      return COMMAND_ERROR.undefinedType;
    default:
      return 0;
  }
}

function iotlb(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  if ((w0Lo & IOTLB_RESERVED_LOW) !== 0 || w0Hi !== 0) return COMMAND_ERROR.reservedBits;
  const { match } = caches;
  switch (vtdGranularity(w0Lo)) {
    case VTD_GRANULARITY.global:
      return (
        caches.iotlb.dropAll(DROP.command) +
        caches.walkCaches.dropAll(DROP.command) +
        caches.stage2.dropAll(DROP.command)
      );
    case VTD_GRANULARITY.domain:
      matchDomain(match, vtdDomain(w0Lo), -1);
      return (
        caches.iotlb.dropMatching(match, DROP.command) +
        caches.walkCaches.dropMatching(match, DROP.command) +
        caches.stage2.dropMatching(match, DROP.command)
      );
    case VTD_GRANULARITY.page: {
      matchDomain(match, vtdDomain(w0Lo), -1);
      if (!caches.hasCombined()) return pages(caches, w1Lo, w1Hi);
      // the address is the guest's: of which combined entries it is part is not in them, so all of the domain go
      match.kinds = EVERY_KIND & ~COMBINED;
      const dropped = pages(caches, w1Lo, w1Hi);
      if (dropped < 0) return dropped;
      match.kinds = COMBINED;
      return dropped + caches.iotlb.dropMatching(match, DROP.command);
    }
    default:
      return COMMAND_ERROR.undefinedGranularity;
  }
}

function pasidIotlb(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const { match } = caches;
  matchDomain(match, vtdDomain(w0Lo), vtdPasid(w0Hi));
  match.kinds = FIRST_STAGE;
  switch (vtdGranularity(w0Lo)) {
    case VTD_GRANULARITY.pasid:
      return caches.iotlb.dropMatching(match, DROP.command) + caches.walkCaches.dropMatching(match, DROP.command);
    case VTD_GRANULARITY.page:
      return pages(caches, w1Lo, w1Hi);
    default:
      return COMMAND_ERROR.undefinedGranularity;
  }
}

function pages(caches: HardwareCaches, w1Lo: number, w1Hi: number): number {
  const order = vtdAddressMask(w1Lo);
  if (order > caches.maxMask) return COMMAND_ERROR.maskTooLarge;
  if ((w1Lo & 0xf80) !== 0) return COMMAND_ERROR.reservedBits;
  const { match } = caches;
  const pageLo = (w1Lo >>> 12) | (w1Hi << 20);
  const pageHi = w1Hi >>> 12;
  let dropped = caches.iotlb.dropPages(match, pageLo, pageHi, order, DROP.command);
  if (caches.hasCombined()) dropped += caches.stage2.dropPages(match, pageLo, pageHi, order, DROP.command);
  if (vtdInvalidationHint(w1Lo)) return dropped;
  return dropped + caches.walkCaches.dropPages(match, pageLo, pageHi, order, DROP.command);
}

function context(caches: HardwareCaches, w0Lo: number, w0Hi: number): number {
  if ((w0Lo & CONTEXT_RESERVED_LOW) !== 0 || (w0Hi & CONTEXT_RESERVED_HIGH) !== 0) return COMMAND_ERROR.reservedBits;
  const { configuration } = caches;
  switch (vtdGranularity(w0Lo)) {
    case VTD_GRANULARITY.global:
      return configuration.dropDevices(false, () => true);
    case VTD_GRANULARITY.domain:
      return configuration.dropDevicesOf(vtdDomain(w0Lo));
    case VTD_GRANULARITY.device: {
      const keep = ~(FUNCTION_MASKS[((w0Hi >>> 16) & 3) as 0 | 1 | 2 | 3] | 0) & 0xffff;
      const sid = w0Hi & 0xffff;
      return configuration.dropDevices(false, (rid) => ((rid ^ sid) & keep) === 0);
    }
    default:
      return COMMAND_ERROR.undefinedGranularity;
  }
}

function pasidCache(caches: HardwareCaches, w0Lo: number, w0Hi: number): number {
  const { configuration } = caches;
  switch (vtdGranularity(w0Lo)) {
    case 0:
      return configuration.dropSpacesOf(vtdDomain(w0Lo), -1);
    case 1:
      return configuration.dropSpacesOf(vtdDomain(w0Lo), vtdPasid(w0Hi));
    case 3:
      return configuration.dropSpaces(-1, -1);
    default:
      return COMMAND_ERROR.undefinedGranularity;
  }
}

function deviceTlb(
  caches: HardwareCaches,
  rid: number,
  pasid: number,
  size: boolean,
  w1Lo: number,
  w1Hi: number,
): number {
  const pageLo = (w1Lo >>> 12) | (w1Hi << 20);
  return caches.deviceTlbs.dropPages(rid, pasid, pageLo, w1Hi >>> 12, sizeCodeOrder(size, w1Lo, w1Hi));
}
