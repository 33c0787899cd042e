import {
  AMD_COMMAND,
  amdCommand,
  amdDevice,
  amdDomain,
  amdGuest,
  amdIotlbPasid,
  amdPagesPasid,
  amdPde,
  amdSize,
} from '../../traces/dialects/amd-fields.ts';
import { sizeCodeOrder } from '../../traces/dialects/vtd-fields.ts';
import { COMMAND_ERROR } from './command-error.ts';
import { matchDomain } from './entry-match.ts';
import { QUIRK } from './hardware-caches.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { DROP } from './iotlb.ts';

/** From this order on a size code means everything. AMD 48882, table of page size encodings. */
const EVERYTHING = 52;

/** Reserved bits of the four 32-bit words, by command. AMD 48882 2.4. */
const RESERVED: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 0, 0],
  [0, 0x0ff0_0000, 0, 0],
  [0xffff_0000 | 0, 0x0fff_ffff, -1, -1],
  [0xfff0_0000 | 0, 0x0fff_0000, 0xff8, 0],
  [0, 0, 0xfca, 0],
  [0xffff_0000 | 0, 0x0fff_ffff, -1, -1],
  [0, 0, 0, 0],
  [0, 0, 0, 0],
  [-1, 0x0fff_ffff, -1, -1],
];

/**
 * Drops what one AMD command names and nothing else (AMD 48882 2.4); returns how many entries went from all caches, or a
 * `COMMAND_ERROR`. Page-directory entries go only with PDE; a device's own cache only by INVALIDATE_IOTLB_PAGES.
 */
export function applyAmd(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const code = amdCommand(w0Hi);
  const reserved = RESERVED[code];
  if (reserved === undefined || code === 0) return COMMAND_ERROR.undefinedType;
  if ((w0Lo & reserved[0]) | (w0Hi & reserved[1]) | (w1Lo & reserved[2]) | (w1Hi & reserved[3])) {
    return COMMAND_ERROR.reservedBits;
  }
  const { configuration } = caches;
  switch (code) {
    case AMD_COMMAND.pages:
      return pages(caches, w0Lo, w0Hi, w1Lo, w1Hi);
    case AMD_COMMAND.iotlbPages:
      return iotlbPages(caches, w0Lo, w0Hi, w1Lo, w1Hi);
    case AMD_COMMAND.devtabEntry: {
      const device = amdDevice(w0Lo);
      return configuration.dropDevices(true, (rid) => (rid & 0xffff) === device);
    }
    case AMD_COMMAND.all:
      return (
        caches.iotlb.dropAll(DROP.command) +
        caches.walkCaches.dropAll(DROP.command) +
        caches.stage2.dropAll(DROP.command) +
        configuration.dropAll()
      );
    default:
      return 0;
  }
}

function pages(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const { match, quirks } = caches;
  const order = sizeCodeOrder(amdSize(w1Lo), w1Lo, w1Hi);
  const whole = order >= EVERYTHING || (quirks & QUIRK.amdWholeDomain) !== 0;
  matchDomain(match, amdDomain(w0Hi), amdGuest(w1Lo) ? amdPagesPasid(w0Lo) : -1);
  const tables = amdPde(w1Lo);
  if (whole) {
    const dropped = caches.iotlb.dropMatching(match, DROP.command) + caches.stage2.dropMatching(match, DROP.command);
    return tables ? dropped + caches.walkCaches.dropMatching(match, DROP.command) : dropped;
  }
  const pageLo = (w1Lo >>> 12) | (w1Hi << 20);
  const pageHi = w1Hi >>> 12;
  const dropped =
    caches.iotlb.dropPages(match, pageLo, pageHi, order, DROP.command) +
    caches.stage2.dropPages(match, pageLo, pageHi, order, DROP.command);
  return tables ? dropped + caches.walkCaches.dropPages(match, pageLo, pageHi, order, DROP.command) : dropped;
}

function iotlbPages(caches: HardwareCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const order = sizeCodeOrder(amdSize(w1Lo), w1Lo, w1Hi);
  const pageLo = (w1Lo >>> 12) | (w1Hi << 20);
  const pageHi = w1Hi >>> 12;
  const device = amdDevice(w0Lo);
  if ((caches.quirks & QUIRK.amdDeviceTlbIsIotlb) !== 0) {
    // of a size code it keeps that there is one, and drops all of the device
    return caches.dropRequester(device, pageLo, pageHi, amdSize(w1Lo) ? EVERYTHING : 0);
  }
  const pasid = amdGuest(w1Lo) ? amdIotlbPasid(w0Lo, w0Hi) : -1;
  return caches.deviceTlbs.dropPages(device, pasid, pageLo, pageHi, order);
}
