type Point = readonly [x: number, y: number];

/**
 * At most about `most` of the points, in their order: of each of `most / 2` equal parts of the x range the lowest and the
 * highest, so that no peak and no gap between peaks is lost. Points are ordered by x.
 */
export function peaksOf(points: readonly Point[], most: number): readonly Point[] {
  const [first, last] = [points[0], points.at(-1)];
  if (points.length <= most || first === undefined || last === undefined) return points;
  const parts = Math.max(1, Math.floor(most / 2));
  const width = (last[0] - first[0]) / parts;
  const kept: Point[] = [];
  let part = -1;
  let low = first;
  let high = first;
  const keep = (): void => {
    if (part < 0) return;
    if (low === high) kept.push(low);
    else if (low[0] <= high[0]) kept.push(low, high);
    else kept.push(high, low);
  };
  for (const point of points) {
    const own = width > 0 ? Math.min(parts - 1, Math.floor((point[0] - first[0]) / width)) : 0;
    if (own !== part) {
      keep();
      part = own;
      low = point;
      high = point;
    } else if (point[1] < low[1]) low = point;
    else if (point[1] > high[1]) high = point;
  }
  keep();
  return kept;
}
