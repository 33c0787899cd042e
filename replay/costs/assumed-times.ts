import type { ProfileParameter } from '../results.ts';

/** Times of a profile or a comparison that nobody measured. */
export function assumedTimes(parameters: readonly ProfileParameter[]): readonly ProfileParameter[] {
  return parameters.filter(({ standing, unit, value }) => standing === 'assumed' && unit === 'ns' && value > 0);
}
