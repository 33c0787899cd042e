import type { PageTableFormat } from '../model/page-table-format.ts';

/**
 * Dirty state in shared memory, changed as hardware and a kernel change it: one locked read-modify-write of the low word, which
 * has it in every format. Neither touches other bits, so that neither can undo the other.
 */

/** As a write through the entry does it. Returns the low word as it was. The caller knows that the entry is tracked. */
export function setDirty(words: Int32Array, slot: number, { dirty }: PageTableFormat): number {
  const { mask } = dirty;
  return dirty.dirty === 0 ? Atomics.and(words, slot, ~mask) : Atomics.or(words, slot, mask);
}

/** As a harvest does it. Returns the low word as it was: dirty only for the one caller that cleared it. */
export function clearDirty(words: Int32Array, slot: number, { dirty }: PageTableFormat): number {
  const { mask } = dirty;
  return dirty.dirty === 0 ? Atomics.or(words, slot, mask) : Atomics.and(words, slot, ~mask);
}
