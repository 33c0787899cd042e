import { readFileSync } from 'node:fs';

export const TOOL = 'iorr';

let version: string | undefined;

/** Version of this package, from the package.json above this file (one folder up in the sources, two in `dist`). */
export function toolVersion(): string {
  if (version !== undefined) return version;
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Record<string, unknown>;
      if (manifest['name'] === TOOL && typeof manifest['version'] === 'string') return (version = manifest['version']);
    } catch {
      // Not in this folder: the other one is tried next.
    }
  }
  return (version = 'unknown');
}
