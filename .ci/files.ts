import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

/** Folder of the checkout. */
export const root = resolve(import.meta.dirname, '..');

const NOT_OURS = /^(\.git|node_modules|dist|coverage|iorr-report\.html)$|\.generated\.ts$/;

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (NOT_OURS.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else yield relative(root, path);
  }
}

/** What git knows or would add; undefined in a tarball, or without git. */
function listedByGit(): string[] | undefined {
  const { status, stdout } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return status === 0 ? stdout.split('\0') : undefined;
}

/** Paths of the project's own files relative to the root, `/` as separator. */
export function projectFiles(): string[] {
  const paths = listedByGit() ?? [...walk(root)];
  return [...new Set(paths)].filter((path) => path !== '' && existsSync(join(root, path))).sort();
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}
