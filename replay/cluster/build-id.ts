import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';

/** Rooms whose code results depend on. */
const ROOMS = ['traces', 'replay', 'analyzers'];
/** Digits that are shown and compared. */
const DIGITS = 12;

let known: string | undefined;

/** Hash of the code that runs, from its files: 12 hex digits. Takes some 50 ms, once. */
export function buildId(): string {
  if (known !== undefined) return known;
  const root = join(import.meta.dirname, '../..');
  const kind = extname(import.meta.filename);
  const hash = createHash('sha256');
  for (const room of ROOMS) {
    const files = readdirSync(join(root, room), { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && isCode(file.name, kind))
      .map((file) => join(file.parentPath, file.name))
      .sort();
    for (const file of files)
      hash
        .update(`${file.slice(root.length)}\0`)
        .update(readFileSync(file))
        .update('\0');
  }
  return (known = hash.digest('hex').slice(0, DIGITS));
}

/** `kind`: `.js` where the build runs, `.ts` where its sources do. */
function isCode(name: string, kind: string): boolean {
  if (name.endsWith('.wasm')) return true;
  return name.endsWith(kind) && !name.endsWith('.d.ts') && !name.endsWith(`.test${kind}`);
}
