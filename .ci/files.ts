import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

/** Folder of the checkout. */
export const root = resolve(import.meta.dirname, '..');

const NOT_OURS = new Set(['.git', 'node_modules', 'dist', 'coverage', 'iorr-report.html']);

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else yield relative(root, path);
  }
}

/** Paths of the project's own files relative to the root, `/` as separator: what git knows or would add; all in a tarball. */
export function projectFiles(): string[] {
  if (!existsSync(join(root, '.git'))) return [...walk(root)].sort();
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  return [...new Set(listed.toString().split('\0'))]
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .sort();
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}
