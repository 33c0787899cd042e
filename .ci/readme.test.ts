import { describe, expect, test } from 'vitest';
import { projectFiles, readText } from './files.ts';

const { scripts } = JSON.parse(readText('package.json')) as { readonly scripts: { readonly [name: string]: string } };

/** Scripts that a page tells to run: `npm start`, `npm run bench:peers`. */
function scriptsIn(path: string): readonly string[] {
  const named = readText(path).matchAll(/\bnpm (?:run (?:-s )?([a-z][a-z:-]*)|(start|test)\b)/g);
  return [...named].map(([, run, short]) => run ?? short ?? '');
}

describe('pages', () => {
  test.each(projectFiles().filter((path) => path.endsWith('.md')))('%s names only scripts of package.json', (path) => {
    expect(scriptsIn(path).filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test('README.md names the first two', () => {
    expect(scriptsIn('README.md')).toEqual(expect.arrayContaining(['start', 'test']));
  });
});
