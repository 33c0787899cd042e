import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { projectFiles, readText, root } from './files.ts';

interface ApiDoc {
  readonly apiPages: () => ReadonlyMap<string, string>;
  readonly undocumented: (room: string) => readonly string[];
}

const { apiPages, undocumented } = (await import(pathToFileURL(join(root, '.ci/api-doc.mjs')).href)) as ApiDoc;

describe('docs/api', () => {
  test('is what npm run docs:api writes now', () => {
    const pages = apiPages();
    const there = projectFiles().filter((path) => path.startsWith('docs/api/'));
    expect(there).toEqual([...pages.keys()].sort());
    for (const [path, text] of pages)
      expect(readText(path) === text ? 'fresh' : `${path}: run npm run docs:api`).toBe('fresh');
  });

  test.each(['traces', 'recorder', 'replay', 'analyzers', 'bench'])('of %s has a docstring for every name', (room) => {
    expect(undocumented(room)).toEqual([]);
  });
});
