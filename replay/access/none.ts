import type { AccessModelFactory } from './access-model.ts';

/** No accesses: hit rate, exposure and stale hits stay unknown. */
export const none: AccessModelFactory = {
  name: 'none',
  summary: 'no accesses: hit rate, exposure and stale hits are unknown',
  create: () => ({ mapped: () => undefined, unmapping: () => undefined }),
};
