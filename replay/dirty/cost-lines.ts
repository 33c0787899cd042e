import type { Nanoseconds } from '../../traces/units.ts';
import type { CrossoverSegment } from './crossover-result.ts';

/** Cost of a method at one rate of writing, over the latency of page requests: `fixed` + `slope` * latency. */
export interface CostLine {
  readonly name: string;
  readonly fixed: Nanoseconds;
  readonly slope: number;
}

/** The lower envelope of lines from latency 0 on: each next method has fewer requests. */
export function leastCost(lines: readonly CostLine[]): readonly CrossoverSegment[] {
  const segments: CrossoverSegment[] = [];
  let best = [...lines].sort((a, b) => a.fixed - b.fixed || a.slope - b.slope)[0];
  let fromNs = 0;
  while (best !== undefined) {
    segments.push({ method: best.name, fromNs });
    const now: CostLine = best;
    const later = lines
      .filter(({ slope }) => slope < now.slope)
      .map((line) => ({ line, at: (line.fixed - now.fixed) / (now.slope - line.slope) }))
      .sort((a, b) => a.at - b.at || a.line.slope - b.line.slope)[0];
    best = later?.line;
    fromNs = later?.at ?? 0;
  }
  return segments;
}
