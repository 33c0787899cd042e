import type { DomainId, RequesterId } from '../../../traces/units.ts';
import type { Attribution } from './attribution.ts';

/** Maps that were given to a wrong domain are at most this share of a device's: two devices that unmap the same page at once. */
const DOUBTFUL = 0.05;

/**
 * The domain that the maps of a device are in, for accesses whose source does not say: SMMUv3 names it only in the lines of its
 * IOTLB. Devices that had several domains are left out.
 */
export function domainsOfAccesses({ mapDomain, mapDevice }: Attribution): ReadonlyMap<RequesterId, DomainId> {
  const counts = new Map<RequesterId, Map<DomainId, number>>();
  for (let row = 0; row < mapDevice.length; row++) {
    const device = mapDevice[row]!;
    const domain = mapDomain[row]!;
    if (device < 0 || domain < 0) continue;
    let ofDevice = counts.get(device);
    if (ofDevice === undefined) {
      ofDevice = new Map();
      counts.set(device, ofDevice);
    }
    ofDevice.set(domain, (ofDevice.get(domain) ?? 0) + 1);
  }
  const found = new Map<RequesterId, DomainId>();
  for (const [device, ofDevice] of counts) {
    const all = [...ofDevice.values()].reduce((sum, count) => sum + count, 0);
    for (const [domain, count] of ofDevice) if (count > (1 - DOUBTFUL) * all) found.set(device, domain);
  }
  return found;
}
