import { ACCESS } from '../../traces/schema.ts';
import { MOST_PAGES } from './access-model.ts';
import type { AccessModelFactory } from './access-model.ts';

/** Every page is accessed once, as soon as it is mapped: the least that a mapping can be for. */
export const touchOnce: AccessModelFactory = {
  name: 'touch-once',
  summary: 'each page once, in order, right after it was mapped',
  create: (sink) => ({
    mapped(time, rid, domain, first, pages, prot) {
      const access = (prot & ACCESS.write) !== 0 ? ACCESS.write : ACCESS.read;
      const touched = Math.min(pages, MOST_PAGES);
      for (let i = 0; i < touched; i++) sink(time, rid, domain, first + i, access);
    },
    unmapping: () => undefined,
  }),
};
