import type { IotlbCounts } from '../results.ts';

/** Lookups of one kind of cache by what became of them at every size, from depths in a stack. */
export interface DepthCounts {
  /** Index d: lookups whose entry was at depth d. */
  readonly found: Float64Array;
  /** Index d: misses of what a command had dropped when it was at depth d. */
  readonly dropped: Float64Array;
  /** Index n: misses of a cache of n ways that one of as many entries without sets has; undefined for that one itself. */
  readonly conflicts?: Float64Array;
  readonly lookups: number;
  /** Lookups of what was never cached before. */
  readonly compulsory: number;
}

/**
 * Counts of the cache of `ways` places: what is deeper was replaced before, also what a command dropped there. As the machine counts
 * causes (`MissCauses`).
 */
export function countsOfWays(
  { found, dropped, conflicts, lookups, compulsory }: DepthCounts,
  ways: number,
): IotlbCounts {
  let hits = 0;
  let invalidation = 0;
  for (let depth = Math.min(ways, found.length - 1); depth > 0; depth--) hits += found[depth]!;
  for (let depth = Math.min(ways, dropped.length - 1); depth > 0; depth--) invalidation += dropped[depth]!;
  const conflict = conflicts?.[ways] ?? 0;
  const misses = lookups - hits;
  const capacity = misses - compulsory - invalidation - conflict;
  return { lookups, hits, misses, causes: { compulsory, capacity, conflict, invalidation } };
}
