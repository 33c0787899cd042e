import type { DomainId, PageNumber } from '../../traces/units.ts';
import { ACCESS } from '../../traces/schema.ts';
import { MOST_PAGES } from './access-model.ts';
import type { AccessModelFactory } from './access-model.ts';

/** Descriptors of 16 bytes in a page: the device reads a new descriptor page each so many buffers. */
const DESCRIPTORS_A_PAGE = 256;

interface DescriptorRing {
  readonly first: PageNumber;
  readonly pages: number;
  next: number;
}

/**
 * A network or storage queue: buffers are used in the order in which they were posted, each once, shortly before it is given back
 * by an unmap; the device reads a descriptor of the ring before and writes it after. A domain's ring is its oldest mapping that is
 * still there.
 */
export const ring: AccessModelFactory = {
  name: 'ring',
  summary: 'each buffer once, in order, just before its unmap, with its descriptor before and after',
  create: (sink) => {
    const rings = new Map<DomainId, DescriptorRing>();
    return {
      mapped(_time, _rid, domain, first, pages) {
        if (!rings.has(domain)) rings.set(domain, { first, pages, next: 0 });
      },
      unmapping(time, rid, domain, first, pages) {
        const held = rings.get(domain);
        if (held !== undefined && first <= held.first && first + pages > held.first) {
          rings.delete(domain);
          return;
        }
        let descriptor = -1;
        if (held !== undefined) {
          descriptor = held.first + (Math.floor(held.next / DESCRIPTORS_A_PAGE) % held.pages);
          held.next++;
          sink(time, rid, domain, descriptor, ACCESS.read);
        }
        const touched = Math.min(pages, MOST_PAGES);
        for (let i = 0; i < touched; i++) sink(time, rid, domain, first + i, 0);
        if (descriptor >= 0) sink(time, rid, domain, descriptor, ACCESS.write);
      },
    };
  },
};
