import type { Standing } from '../results.ts';
import type { DesignParameter } from './design.ts';

/** One value that `--set` changes; assumed unless somebody measured or published it. */
export function knob(
  name: string,
  value: number,
  unit: string,
  source: string,
  standing: Standing = 'assumed',
  range: readonly [number, number] = [0, 1e9],
): DesignParameter {
  return { name, value, unit, source, standing, range };
}
