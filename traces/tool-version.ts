import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Version of this tool, read from its own package.json: the only place that has it. Finds the file from the sources and
 * from `dist/` alike. For the shells (command files); pure code is given the version.
 */
export function toolVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) {
      const found = JSON.parse(readFileSync(file, 'utf8')) as { readonly name?: unknown; readonly version?: unknown };
      if (found.name === 'iorr' && typeof found.version === 'string') return found.version;
    }
    const parent = dirname(folder);
    if (parent === folder) return '0.0.0';
    folder = parent;
  }
}
