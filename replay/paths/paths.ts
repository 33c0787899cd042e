import { native } from './native.ts';
import type { Path } from './path.ts';

/** Every path, by file. A new one is its file and a line here. */
export const PATHS: readonly Path[] = [native];

export function findPath(name: string): Path | undefined {
  return PATHS.find((path) => path.name === name);
}
