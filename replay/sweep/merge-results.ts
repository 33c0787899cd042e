import type { SweepPoint, SweepResult } from './sweep-point.ts';

/** What is there of a sweep. */
export interface MergedSweep {
  /** One for each point that has one, in the order of the points. */
  readonly results: readonly SweepResult[];
  readonly missing: readonly SweepPoint[];
}

/**
 * Puts results together, whoever made them, in whatever order they came and however often: each point counts once, by its id. Throws
 * where two results of one point differ, which no run may give; results of other sweeps are left out.
 */
export function mergeResults(points: readonly SweepPoint[], results: Iterable<SweepResult>): MergedSweep {
  const known = new Map<string, SweepResult>();
  for (const result of results) {
    const before = known.get(result.id);
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(result)) {
      throw new Error(`two results of the point ${result.id}: the same trace, options and version must give one`);
    }
    known.set(result.id, result);
  }
  const merged: SweepResult[] = [];
  const missing: SweepPoint[] = [];
  for (const point of points) {
    const result = known.get(point.id);
    if (result === undefined) missing.push(point);
    else merged.push(result);
  }
  return { results: merged, missing };
}
