import { posix } from 'node:path';

/** The rooms of the house, and what each may import besides itself. A test may import any room: it proves how they fit. */
const ROOMS: { readonly [room: string]: readonly string[] } = {
  traces: [],
  recorder: ['traces'],
  replay: ['traces'],
  analyzers: ['traces', 'replay'],
  bench: ['traces', 'recorder', 'replay', 'analyzers', 'cli.ts'],
  'cli.ts': ['traces', 'recorder', 'replay', 'analyzers', 'bench'],
};

/** `traces` for `traces/format/frame.ts`, `cli.ts` for itself, `undefined` for what is in no room. */
export function roomOf(path: string): string | undefined {
  const first = path.split('/')[0] ?? '';
  return Object.hasOwn(ROOMS, first) ? first : undefined;
}

/** True if the file `from` may import the file `to`; both relative to the root. */
export function allowedImport(from: string, to: string): boolean {
  const room = roomOf(from);
  const target = roomOf(to);
  if (room === undefined || room === target || from.endsWith('.test.ts')) return true;
  if (target === undefined) return false;
  if (from.startsWith('recorder/simulate/') && to.startsWith('replay/model/')) return true;
  return (ROOMS[room] ?? []).includes(target);
}

// import x from './a.ts'; export * from './a.ts'; import('./a.ts'); import './a.ts'; new URL('./a.js', import.meta.url)
const SPECIFIER = /(?:\bfrom|\bimport|\bimport\(|\bnew URL\()\s*'(\.{1,2}\/[^']+)'/g;

/** Sources that a module names with a relative path, relative to the root; what is built counts as its source. */
export function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(SPECIFIER)].map((match) => {
    const target = posix.join(posix.dirname(path), match[1] ?? '');
    return target.startsWith('dist/') ? target.slice('dist/'.length).replace(/\.js$/, '.ts') : target;
  });
}
