import {
  VIRTIO_REQUEST,
  virtioDomain,
  virtioEndpoint,
  virtioPage,
  virtioRequest,
} from '../../traces/dialects/virtio-fields.ts';
import { COMMAND_ERROR } from './command-error.ts';
import { matchDomain } from './entry-match.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { DROP } from './iotlb.ts';

const TWO_32 = 2 ** 32;

/**
 * Drops what one virtio-iommu request makes invalid (Virtio 1.2, 5.13.6): there are no commands beside the requests, so UNMAP
 * drops the translations of its range, ATTACH and DETACH the endpoint's configuration. Returns how many entries went, or a
 * `COMMAND_ERROR`, which the device would answer as a status. What is mapped is known from the trace's maps and unmaps.
 */
export function applyVirtio(
  caches: HardwareCaches,
  w0Lo: number,
  w0Hi: number,
  w1Lo: number,
  w1Hi: number,
  w2Lo: number,
  w2Hi: number,
): number {
  const request = virtioRequest(w0Lo);
  switch (request) {
    case VIRTIO_REQUEST.attach:
    case VIRTIO_REQUEST.detach: {
      const endpoint = virtioEndpoint(w1Lo);
      return caches.configuration.dropDevices(true, (rid) => rid === endpoint);
    }
    case VIRTIO_REQUEST.map:
    case VIRTIO_REQUEST.unmap:
      return change(caches, request, w0Hi, virtioPage(w1Lo, w1Hi), virtioPage(w2Lo, w2Hi));
    case VIRTIO_REQUEST.probe:
      return 0;
    default:
      return COMMAND_ERROR.undefinedType;
  }
}

function change(caches: HardwareCaches, request: number, w0Hi: number, first: number, last: number): number {
  const domain = virtioDomain(w0Hi) | 0;
  if (last < first) return COMMAND_ERROR.badRange;
  if (!caches.knows(domain)) return COMMAND_ERROR.noSuchDomain;
  if (request === VIRTIO_REQUEST.map) return 0;
  const match = matchDomain(caches.match, domain, -1);
  if (first === 0 && last >= 2 ** 52 - 1) {
    return caches.iotlb.dropMatching(match, DROP.command) + caches.walkCaches.dropMatching(match, DROP.command);
  }
  let dropped = 0;
  for (let at = first; at <= last; ) {
    let order = 0;
    let size = 1;
    while (at % (size * 2) === 0 && at + size * 2 - 1 <= last) {
      size *= 2;
      order++;
    }
    const low = at | 0;
    const high = (at / TWO_32) | 0;
    dropped += caches.iotlb.dropPages(match, low, high, order, DROP.command);
    dropped += caches.walkCaches.dropPages(match, low, high, order, DROP.command);
    at += size;
  }
  return dropped;
}
