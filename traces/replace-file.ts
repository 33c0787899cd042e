import { chmodSync, chownSync, readlinkSync, realpathSync, renameSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Links that lead to links; more are a circle. */
const MOST_LINKS = 40;

/** The file that a path stands for, its symbolic links followed, also those to a file that is not there yet. */
export function targetOf(path: string): string {
  let target = path;
  for (let i = 0; i < MOST_LINKS; i++) {
    try {
      return realpathSync(target);
    } catch {
      try {
        target = resolve(dirname(target), readlinkSync(target));
      } catch {
        return target;
      }
    }
  }
  return path;
}

/** Puts a file that is whole in the place of another one, whose mode and owner it takes. */
export function replaceFile(part: string, target: string): void {
  const before = statSync(target, { throwIfNoEntry: false });
  if (before !== undefined) {
    try {
      chownSync(part, before.uid, before.gid);
    } catch {
      // somebody else's file in a folder of ours: who writes it owns it
    }
    chmodSync(part, before.mode & 0o7777);
  }
  renameSync(part, target);
}
