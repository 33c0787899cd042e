import { SET_INDEX } from './set-index.ts';

/** Where a kernel has what in its memory, and what its keys are made of. */

/** Bits of a page number in a key; the address space's index is above them. An index of 0 stands for none. */
export const PAGE_BITS = 52;
/** Address spaces that keys can tell apart. */
export const MOST_SPACES = 4096;
/** Pages of a block of the memo of walks, each with a word. */
export const BLOCK_SHIFT = 9;
/** Bytes of an entry of the memo's hash table: the block's key, then the address of its words. */
export const MEMO_ENTRY = 16;
/** What a hash of block keys multiplies their two words by, and the bits that it takes from the product. */
export const MEMO_HASH = { low: 0x9e3779b1 | 0, high: 0x85ebca6b | 0, shift: 8 } as const;
/** What `mixed` sets multiply the words of a page and the tag by (`SetAssociativeIotlb`). */
export const MIX = { pageHi: 0x27d4eb2f, space: 0x165667b1, first: 0x9e3779b1, second: 0x85ebca6b } as const;

/** Words of state in memory, as byte addresses. */
export const STATE = {
  misses: 0,
  invalidated: 8,
  /** Sum of the low words of the output pages of all translations. */
  sum: 16,
  /** Low word of what `walk` found. */
  output: 24,
  memoTable: 28,
  memoMask: 32,
  /** Where the columns that `gather` reads are. */
  stream: 36,
  rid: 40,
  pasid: 44,
  domain: 48,
  iovaLo: 52,
  iovaHi: 56,
  outcome: 60,
  /** Next row of those columns, next word to write, and how many accesses `gather` took. */
  row: 64,
  to: 68,
  seen: 72,
  /** Not 0: a program that walks nothing is to have its accesses walked all the same. */
  walks: 76,
} as const;

/** By index of an address space, what its number adds to the set of a page. */
export const SALTS_AT = 128;
/**
 * By requester id without PASID: its address space in the place of a key's high word, with bit 0 set where attach events tell
 * its domain, so that the domain of an access is not looked at; then that domain. A first word of 0: not known.
 */
export const REQUESTERS_AT = SALTS_AT + MOST_SPACES * 4;
export const REQUESTERS = 0x10000;
/** Ways of all sets, newest first: keys of 8 bytes (0: empty), then the low words of their output pages. */
export const TAGS_AT = REQUESTERS_AT + REQUESTERS * 8;

export interface KernelLayout {
  readonly outputsAt: number;
  readonly end: number;
}

/** Where the arrays of a geometry are; keys fill whole vectors. */
export function kernelLayout(sets: number, ways: number): KernelLayout {
  const entries = sets * ways;
  const outputsAt = TAGS_AT + Math.ceil(entries / 2) * 16;
  return { outputsAt, end: outputsAt + Math.ceil(entries / 4) * 16 };
}

/** What an address space's number adds to the set index of its pages. */
export function saltOf(index: number, space: number): number {
  if (index === SET_INDEX.folded) return Math.imul(space, 37);
  return index === SET_INDEX.low ? 0 : Math.imul(space, MIX.space);
}
