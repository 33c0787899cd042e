/**
 * What comes after what: for each value, the value behind its last occurrence. A hash table in one array of words, so that loops over
 * rows need no object for it.
 */
export interface SuccessorTable {
  readonly words: Int32Array;
  /** The first word of slots that are used. */
  readonly mark: number;
}

/** Slots that are looked at for a value; behind them one is taken over, so that chosen values can't make a table slow. */
export const MOST_PROBES = 16;
/** Words of a slot: the mark, value, successor. */
export const SLOT = 3;
/** 2^32 / golden ratio. */
export const HASH_FACTOR = 0x9e3779b1;

/** Slots of a table for so many values: a power of two. */
export function successorSlots(values: number): number {
  return 2 ** Math.max(4, 33 - Math.clz32(values));
}

/** Where the first word of a value's slot is: of the one it has, or may take. */
export function slotOf(words: Int32Array, mark: number, value: number): number {
  let hash = Math.imul(value ^ (value >>> 12), HASH_FACTOR);
  hash ^= hash >>> 15;
  let at = (hash & (((words.length / SLOT) | 0) - 1)) * SLOT;
  for (let probes = 1; probes < MOST_PROBES; probes++) {
    if (words[at] !== mark || words[at + 1] === value) return at;
    at += SLOT;
    if (at === words.length) at = 0;
  }
  return at;
}
