/** An empty way. */
const EMPTY = -1;

/** Told of every entry of every level that a use finds, or does not: see `createSetStacks`. */
export interface SetStacks {
  /** Sets of each level, ascending. */
  readonly sets: readonly number[];
  /** Ways that are followed at most. */
  readonly ways: number;
  /**
   * The entry is used; `number` is what picks its set (`setNumber`). Returns the first level where it is the newest of its set, and was
   * found so at once: there and at all later ones its depth is 1. Depths at the levels before are in `depths`.
   */
  readonly use: (entry: number, number: number) => number;
  /** By level, of the newest `use` or `drop`: from 1; `ways` + 1: not in the first `ways`. */
  readonly depths: Uint8Array;
  /** A command drops the entry. Fills `depths` of all levels. */
  readonly drop: (entry: number, number: number) => void;
}

/**
 * The stacks of the sets of several caches, each with its own number of sets: a cache of n ways holds the first n places of each
 * stack, so that one walk serves all associativities. Sets are picked by one number modulo their count, so where each count divides
 * the next, sets are split from level to level, and what is the newest of its set is so in all smaller ones: most uses end at the
 * first level (Hill and Smith, 1989). Holes are those of `RecencyStack`. `refillInvalidFirst`: as in `Geometry`.
 */
export function createSetStacks(sets: readonly number[], ways: number, refillInvalidFirst: boolean): SetStacks {
  const levels = sets.length;
  const split = sets.every((count, i) => i === 0 || count % sets[i - 1]! === 0);
  const counts = Int32Array.from(sets);
  const masks = counts.map((count) => ((count & (count - 1)) === 0 ? count - 1 : -1));
  const bases = new Int32Array(levels);
  let total = 0;
  for (let level = 0; level < levels; level++) {
    bases[level] = total;
    total += counts[level]! * ways;
  }
  /** Entries of each set, newest first. */
  const lines = new Int32Array(total).fill(EMPTY);
  const depths = new Uint8Array(levels);

  const baseOf = (level: number, number: number): number => {
    const mask = masks[level]!;
    return bases[level]! + (mask >= 0 ? number & mask : (number >>> 0) % counts[level]!) * ways;
  };

  const useAt = (base: number, entry: number): number => {
    const end = base + ways;
    let hole = -1;
    let at = base;
    for (; at < end; at++) {
      const found = lines[at]!;
      if (found === entry) break;
      if (found === EMPTY && hole < 0) {
        hole = at;
        // below the first hole nothing moves
        if (refillInvalidFirst) {
          for (at++; at < end && lines[at] !== entry; at++);
          break;
        }
      }
    }
    const depth = at - base + 1;
    let last = at < end ? at : end - 1;
    if (refillInvalidFirst && hole >= 0) {
      if (at < end) lines[at] = EMPTY;
      last = hole;
    }
    for (let to = last; to > base; to--) lines[to] = lines[to - 1]!;
    lines[base] = entry;
    return depth;
  };

  return {
    sets,
    ways,
    depths,

    use: (entry, number) => {
      for (let level = 0; level < levels; level++) {
        const base = baseOf(level, number);
        if (lines[base] === entry) {
          if (split) return level;
          depths[level] = 1;
        } else depths[level] = useAt(base, entry);
      }
      return levels;
    },

    drop: (entry, number) => {
      for (let level = 0; level < levels; level++) {
        const base = baseOf(level, number);
        const end = base + ways;
        let at = base;
        while (at < end && lines[at] !== entry) at++;
        depths[level] = at - base + 1;
        if (at < end) lines[at] = EMPTY;
      }
    },
  };
}
