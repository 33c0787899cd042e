import { ACCESS, OUTCOME } from '../../traces/schema.ts';

/**
 * What an access of a device counts as where dirty state is concerned. `told`: the source says that it writes. `permitted`: the
 * source does not tell reads from writes, and the translation permits writes. `assumed`: nor does it tell what the translation
 * permits.
 */
export const DMA_WRITE = { no: 0, told: 1, permitted: 2, assumed: 3 } as const;

/** One of `DMA_WRITE`; `access` and `perm` as in a dma event, whose bit 1 is the write everywhere. */
export function dmaWrite(access: number, perm: number): number {
  if (access !== 0) return (access & ACCESS.write) === 0 ? DMA_WRITE.no : DMA_WRITE.told;
  if (perm < 0) return DMA_WRITE.assumed;
  return (perm & ACCESS.write) === 0 ? DMA_WRITE.no : DMA_WRITE.permitted;
}

/** Refused, or without a translation: no page table hears of it. */
export function leavesTablesAlone(outcome: number): boolean {
  return (outcome & (OUTCOME.bypass | OUTCOME.fault)) !== 0;
}
