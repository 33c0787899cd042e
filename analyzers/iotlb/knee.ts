/** One size of a curve of misses. */
interface Size {
  readonly entries: number;
  readonly lookups: number;
  readonly misses: number;
}

/** The smallest size that has a share of what the largest hits; null where nothing hits. */
export function reachOfShare(points: readonly Size[], share: number): number | null {
  const last = points.at(-1);
  if (last === undefined || last.lookups <= last.misses) return null;
  const wanted = (last.lookups - last.misses) * share;
  return points.find(({ lookups, misses }) => lookups - misses >= wanted)?.entries ?? null;
}

/**
 * Where larger sizes stop to pay: the point of the curve of hits over the logarithm of the size that is farthest above the straight line
 * between its ends (Satopaa and others, "Finding a kneedle in a haystack", 2011). Null without such a point.
 */
export function kneeOf(points: readonly Size[]): { readonly entries: number; readonly missRatio: number } | null {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first.misses <= last.misses) return null;
  const width = Math.log(last.entries / first.entries);
  let best: Size | undefined;
  let farthest = 0;
  for (const point of points) {
    const across = Math.log(point.entries / first.entries) / width;
    const up = (first.misses - point.misses) / (first.misses - last.misses);
    if (up - across > farthest) {
      farthest = up - across;
      best = point;
    }
  }
  return best === undefined ? null : { entries: best.entries, missRatio: best.misses / best.lookups };
}
