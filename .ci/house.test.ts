import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectFiles, readText } from './files.ts';
import { allowedImport, importsOf } from './rooms.ts';

const TOP_FOLDERS = new Set(['traces', 'recorder', 'replay', 'analyzers', 'bench', 'docs', '.github', '.ci']);
const TOP_FILES = new Set([
  'package.json',
  'package-lock.json',
  'cli.ts',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  '.gitignore',
  '.gitattributes',
  '.oxlintrc.json',
  'biome.json',
  'knip.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'vitest.config.ts',
]);

const files = projectFiles();
const sources = files.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'));
/** Text that people read or programs run; this file names what it forbids. */
const texts = files.filter(
  (path) => /\.(ts|mjs|md|json|ya?ml|sh|css|html|txt)$|^\.ci\/run$/.test(path) && path !== '.ci/house.test.ts',
);

/** `file:line: text` of every line that a pattern finds. */
function found(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    readText(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

describe('the house', () => {
  test('has nothing else at the top level', () => {
    const others = files.filter(
      (path) => !(path.includes('/') ? TOP_FOLDERS.has(path.split('/')[0] ?? '') : TOP_FILES.has(path)),
    );
    expect(others).toEqual([]);
  });

  test('names files in kebab-case, after a concept', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|bench|config))?\.(ts|mjs|css)$/;
    const vague = /^(utils?|helpers?|common|manager|misc|shared)\b|-(utils?|helpers?|manager)\b/;
    const code = files.filter((path) => /\.(ts|mjs|css)$/.test(path)).map((path) => basename(path));
    expect(code.filter((name) => !kebab.test(name) || vague.test(name))).toEqual([]);
    const folders = new Set(files.flatMap((path) => path.split('/').slice(0, -1)));
    expect([...folders].filter((name) => vague.test(name))).toEqual([]);
  });

  test('has no file of more than 500 lines', () => {
    const long = sources
      .map((path) => ({ path, lines: readText(path).split('\n').length - 1 }))
      .filter(({ lines }) => lines > 500);
    expect(long).toEqual([]);
  });

  test('has one direction of imports between its rooms', () => {
    const wrong = sources.flatMap((from) =>
      importsOf(from, readText(from))
        .filter((to) => !allowedImport(from, to))
        .map((to) => `${from} imports ${to}`),
    );
    expect(wrong).toEqual([]);
  });

  test('has no default export, no enum, no silenced compiler, nothing left to do', () => {
    const product = sources.filter((path) => path !== 'vitest.config.ts');
    expect(found(product, /^\s*export default\b/)).toEqual([]);
    expect(found(sources, /^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s/)).toEqual([]);
    expect(found(texts, /@ts-(ignore|nocheck|expect-error)|\bTODO\b|\bFIXME\b|\bXXX\b/)).toEqual([]);
    expect(found(sources, /\b(test|it|describe)\.(skip|todo|only)\(/)).toEqual([]);
  });

  test('is deterministic: no random numbers but seeded ones', () => {
    expect(found(sources, /\bMath\.random\(/)).toEqual([]);
  });

  test('knows nothing of the machines that it was written on', () => {
    const local = /(^|[\s'"`(=:])\/(work|home|root|Users)\/|\/tmp\/lab\b/;
    const elsewhere = texts.filter((path) => path !== 'package-lock.json');
    expect(found(elsewhere, local)).toEqual([]);
  });
});
