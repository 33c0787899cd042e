import type { EntryFormat, Translation } from '../translation-state.ts';

/**
 * Words of a VT-d entry and what hardware reads from them by kind (VT-d spec 9.3, 9.6): word 0 holds the type and the
 * second-stage table, word 1 the domain id, word 2 the first-stage table. A compare-and-exchange of 16 bytes changes two.
 * Scalable mode has one entry for each PASID, the RID's among them; legacy mode has none but the RID's.
 */
function words({ kind, domain }: Translation): readonly (string | undefined)[] {
  switch (kind) {
    case 'blocked':
      return [];
    case 'identity':
      return ['pass-through', 'domain 0'];
    case 'stage1':
    case 'sva':
      return ['first stage', `domain ${domain}`, `table ${domain}`];
    case 'stage2':
      return [`second stage, table ${domain}`, `domain ${domain}`];
    case 'nested':
      return [`nested, parent of ${domain}`, `domain ${domain}`, `table ${domain}`];
    default:
      return kind satisfies never;
  }
}

export function vtdEntries(scalable: boolean): EntryFormat {
  return { atomicWords: 2, words, ridBesidePasids: () => scalable };
}
